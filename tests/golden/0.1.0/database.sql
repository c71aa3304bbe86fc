-- What harness 0.1.0 made of the run folders in results/ beside this file.
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE artifact (
	run_id INTEGER NOT NULL, 
	id VARCHAR NOT NULL, 
	content VARCHAR NOT NULL, 
	bytes BIGINT NOT NULL, 
	files INTEGER NOT NULL, 
	weights_bytes BIGINT, 
	format VARCHAR NOT NULL, 
	seconds DOUBLE, 
	peak_rss_bytes BIGINT, 
	layers TEXT NOT NULL, 
	facts TEXT NOT NULL, 
	CONSTRAINT pk_artifact PRIMARY KEY (run_id), 
	CONSTRAINT fk_artifact_run_id_run FOREIGN KEY(run_id) REFERENCES run (id)
);
INSERT INTO "artifact" VALUES(19,'b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7',4096,3,NULL,'ort-genai',NULL,NULL,'{"int4 b32":7}','{}');
INSERT INTO "artifact" VALUES(21,'r-0123456789ab','9f3b52962ed8cfc7087cc7a5055be172bc57f0cdd285ae69cef6568801d6a7e9',10000000,2,NULL,'reference',4.5,NULL,'{}','{}');
INSERT INTO "artifact" VALUES(27,'b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7',4096,3,NULL,'ort-genai',NULL,NULL,'{"int4 b32":7}','{}');
CREATE TABLE environment (
	id INTEGER NOT NULL, 
	digest VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	python VARCHAR NOT NULL, 
	system VARCHAR NOT NULL, 
	machine VARCHAR NOT NULL, 
	cpu VARCHAR NOT NULL, 
	cores INTEGER NOT NULL, 
	memory_bytes BIGINT NOT NULL, 
	box VARCHAR NOT NULL, 
	gpu VARCHAR, 
	driver VARCHAR, 
	cuda VARCHAR, 
	harness VARCHAR NOT NULL, 
	json TEXT NOT NULL, 
	CONSTRAINT pk_environment PRIMARY KEY (id), 
	CONSTRAINT uq_environment_digest UNIQUE (digest)
);
INSERT INTO "environment" VALUES(1,'e59c475ece9ad990304da9891985e7cbfecfec3816dac967b55401b3d3ffa4f8','cuda','3.11.7','Linux-6.1','x86_64','Example CPU',2,8589934592,'f00dfeed','NVIDIA H200','570.1','12.8','0.1.0+abc','{"box":"f00dfeed","cores":2,"cpu":"Example CPU","cuda":"12.8","gpus":[{"clocks_mhz":{"sm":1980},"compute":null,"driver":"570.1","memory_bytes":151397597184,"name":"NVIDIA H200","persistence":null}],"harness":"0.1.0+abc","machine":"x86_64","memory_bytes":8589934592,"name":"cuda","packages":{"onnxruntime-genai":"0.15.0"},"python":"3.11.7","system":"Linux-6.1","threads":{}}');
INSERT INTO "environment" VALUES(2,'6a95bb32521665b80308a01486d370ed6a92d7eee58b46f94c81440bf2892111','cuda','3.11.7','Linux-6.1','x86_64','Example CPU',2,8589934592,'f00dfeed','NVIDIA H200','580.2','12.8','0.1.0+abc','{"box":"f00dfeed","cores":2,"cpu":"Example CPU","cuda":"12.8","gpus":[{"clocks_mhz":{"sm":1980},"compute":null,"driver":"580.2","memory_bytes":151397597184,"name":"NVIDIA H200","persistence":null}],"harness":"0.1.0+abc","machine":"x86_64","memory_bytes":8589934592,"name":"cuda","packages":{"onnxruntime-genai":"0.15.1"},"python":"3.11.7","system":"Linux-6.1","threads":{}}');
INSERT INTO "environment" VALUES(3,'3870309003916c1ea5f72150b95669c43343ddb3747d07d15bd3696b8cff7456','cpu','3.11.7','Linux-6.1','x86_64','Example CPU',2,8589934592,'f00dfeed',NULL,NULL,NULL,'0.1.0+abc','{"box":"f00dfeed","cores":2,"cpu":"Example CPU","cuda":null,"gpus":[],"harness":"0.1.0+abc","machine":"x86_64","memory_bytes":8589934592,"name":"cpu","packages":{"onnxruntime-genai":"0.15.0"},"python":"3.11.7","system":"Linux-6.1","threads":{}}');
INSERT INTO "environment" VALUES(4,'27e53ab5952e82986fd1c12d4513f6543387844fba3434bfba4bf45873c4a8e3','cuda','3.11.7','Linux-6.1','x86_64','Example CPU',2,8589934592,'f00dfeed','NVIDIA H200','570.1','12.8','0.1.0+abc','{"box":"f00dfeed","cores":2,"cpu":"Example CPU","cuda":"12.8","gpus":[{"clocks_mhz":{"sm":1980},"compute":null,"driver":"570.1","memory_bytes":151397597184,"name":"NVIDIA H200","persistence":null}],"harness":"0.1.0+abc","machine":"x86_64","memory_bytes":8589934592,"name":"cuda","packages":{"onnxruntime-genai-cuda":"0.15.0+3f2a","torch":"2.13.0+cu128"},"python":"3.11.7","system":"Linux-6.1","threads":{}}');
CREATE TABLE job (
	id INTEGER NOT NULL, 
	"key" VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	quantizer VARCHAR, 
	probe VARCHAR, 
	engine VARCHAR, 
	engine_options TEXT, 
	batch DOUBLE, 
	prompt DOUBLE, 
	output DOUBLE, 
	shots DOUBLE, 
	"limit" DOUBLE, 
	window DOUBLE, 
	stride DOUBLE, 
	text VARCHAR, 
	task VARCHAR, 
	tokens DOUBLE, 
	spec TEXT NOT NULL, 
	CONSTRAINT pk_job PRIMARY KEY (id), 
	CONSTRAINT uq_job_key UNIQUE ("key")
);
INSERT INTO "job" VALUES(1,'3a98405dec95eecda26d7eae6295e27e939446baa0df94cf113161923b9542e7','speed',NULL,'made_up','ort-genai','{"provider":"cpu"}',1.0,128.0,32.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"batch":1,"concurrency":8,"output":32,"prompt":128,"request_rate":"inf","seed":1}}');
INSERT INTO "job" VALUES(2,'5734f8e4669f013e7a69a0461fc59fc13c1382a96a421b8a3fcfa2e52eedaea4','speed',NULL,'made_up','ort-genai','{"provider":"cpu"}',8.0,128.0,32.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"batch":8,"concurrency":8,"output":32,"prompt":128,"request_rate":"inf","seed":8}}');
INSERT INTO "job" VALUES(3,'df72e311efb7f645c1cd73337c69e64d990d201f6ce673f8546c181ceba345d2','speed',NULL,'made_up','ort-genai','{"provider":"cpu"}',1.0,256.0,32.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"batch":1,"concurrency":8,"output":32,"prompt":256,"request_rate":"inf","seed":1}}');
INSERT INTO "job" VALUES(4,'ccc10216db329b01106048c09813cedbd8c9acc81777d2512374bb27281c2516','build','ort-genai',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"base":null,"contents":{},"model":"18fb9fa0b971b807a1312d3702d18747a3b1b39a129df8c5d1a8f68d512bd1fd","options":{"precision":"int4"},"quantizer":"ort-genai","version":1}');
INSERT INTO "job" VALUES(5,'6c413df0683cb8ab81071e18421479dfd9834224de342d75a4a6b411b781b786','speed',NULL,'made_up','ort-genai','{"provider":"cpu"}',4.0,128.0,64.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"batch":4,"output":64,"prompt":128}}');
INSERT INTO "job" VALUES(6,'e388ccc9dd1f0f00068f3ea79502e15650c0d8be416df4e3710489c82e7b0bb0','reference',NULL,'made_up','ort-genai','{"provider":"cpu"}',NULL,NULL,NULL,NULL,NULL,NULL,NULL,'reference',NULL,5000.0,'{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"text":"reference","tokens":5000}}');
INSERT INTO "job" VALUES(7,'c2238dd0e478633045714fe3c5f306d5a052f6ec390ecdade4e9529651b7e310','speed',NULL,'made_up','ort-genai','{"provider":"cpu"}',1.0,128.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"batch":1,"prompt":128}}');
CREATE TABLE measurement (
	run_id INTEGER NOT NULL, 
	ordinal INTEGER NOT NULL, 
	quantity_id INTEGER NOT NULL, 
	value DOUBLE NOT NULL, 
	low DOUBLE, 
	high DOUBLE, 
	n INTEGER NOT NULL, 
	samples BLOB, 
	array VARCHAR, 
	CONSTRAINT pk_measurement PRIMARY KEY (run_id, ordinal), 
	CONSTRAINT ck_measurement_n CHECK (n >= 1), 
	CONSTRAINT fk_measurement_quantity_id_quantity FOREIGN KEY(quantity_id) REFERENCES quantity (id), 
	CONSTRAINT fk_measurement_run_id_run FOREIGN KEY(run_id) REFERENCES run (id)
)
 WITHOUT ROWID

;
INSERT INTO "measurement" VALUES(1,0,1,100.0,NULL,NULL,3,X'0000000000C0584000000000000059400000000000405940',NULL);
INSERT INTO "measurement" VALUES(1,1,2,0.5,0.4,0.6,3,NULL,NULL);
INSERT INTO "measurement" VALUES(1,2,3,1073741824.0,NULL,NULL,1,NULL,NULL);
INSERT INTO "measurement" VALUES(2,0,1,800.0,NULL,NULL,3,X'0000000000F8884000000000000089400000000000088940',NULL);
INSERT INTO "measurement" VALUES(2,1,2,0.5,0.4,0.6,3,NULL,NULL);
INSERT INTO "measurement" VALUES(2,2,3,1073741824.0,NULL,NULL,1,NULL,NULL);
INSERT INTO "measurement" VALUES(3,0,1,100.0,NULL,NULL,3,X'0000000000C0584000000000000059400000000000405940',NULL);
INSERT INTO "measurement" VALUES(3,1,2,0.5,0.4,0.6,3,NULL,NULL);
INSERT INTO "measurement" VALUES(3,2,3,1073741824.0,NULL,NULL,1,NULL,NULL);
INSERT INTO "measurement" VALUES(4,0,1,101.0,NULL,NULL,3,X'000000000000594000000000004059400000000000805940',NULL);
INSERT INTO "measurement" VALUES(4,1,2,0.51,0.4,0.6,3,NULL,NULL);
INSERT INTO "measurement" VALUES(4,2,3,1073741824.0,NULL,NULL,1,NULL,NULL);
INSERT INTO "measurement" VALUES(5,0,1,801.0,NULL,NULL,3,X'000000000000894000000000000889400000000000108940',NULL);
INSERT INTO "measurement" VALUES(5,1,2,0.51,0.4,0.6,3,NULL,NULL);
INSERT INTO "measurement" VALUES(5,2,3,1073741824.0,NULL,NULL,1,NULL,NULL);
INSERT INTO "measurement" VALUES(6,0,1,101.0,NULL,NULL,3,X'000000000000594000000000004059400000000000805940',NULL);
INSERT INTO "measurement" VALUES(6,1,2,0.51,0.4,0.6,3,NULL,NULL);
INSERT INTO "measurement" VALUES(6,2,3,1073741824.0,NULL,NULL,1,NULL,NULL);
INSERT INTO "measurement" VALUES(7,0,1,102.0,NULL,NULL,3,X'000000000040594000000000008059400000000000C05940',NULL);
INSERT INTO "measurement" VALUES(7,1,2,0.52,0.4,0.6,3,NULL,NULL);
INSERT INTO "measurement" VALUES(7,2,3,1073741824.0,NULL,NULL,1,NULL,NULL);
INSERT INTO "measurement" VALUES(8,0,1,802.0,NULL,NULL,3,X'000000000008894000000000001089400000000000188940',NULL);
INSERT INTO "measurement" VALUES(8,1,2,0.52,0.4,0.6,3,NULL,NULL);
INSERT INTO "measurement" VALUES(8,2,3,1073741824.0,NULL,NULL,1,NULL,NULL);
INSERT INTO "measurement" VALUES(9,0,1,102.0,NULL,NULL,3,X'000000000040594000000000008059400000000000C05940',NULL);
INSERT INTO "measurement" VALUES(9,1,2,0.52,0.4,0.6,3,NULL,NULL);
INSERT INTO "measurement" VALUES(9,2,3,1073741824.0,NULL,NULL,1,NULL,NULL);
INSERT INTO "measurement" VALUES(10,0,1,110.0,NULL,NULL,3,X'0000000000405B400000000000805B400000000000C05B40',NULL);
INSERT INTO "measurement" VALUES(10,1,2,0.5,0.4,0.6,3,NULL,NULL);
INSERT INTO "measurement" VALUES(10,2,3,1073741824.0,NULL,NULL,1,NULL,NULL);
INSERT INTO "measurement" VALUES(11,0,1,810.0,NULL,NULL,3,X'000000000048894000000000005089400000000000588940',NULL);
INSERT INTO "measurement" VALUES(11,1,2,0.5,0.4,0.6,3,NULL,NULL);
INSERT INTO "measurement" VALUES(11,2,3,1073741824.0,NULL,NULL,1,NULL,NULL);
INSERT INTO "measurement" VALUES(12,0,1,110.0,NULL,NULL,3,X'0000000000405B400000000000805B400000000000C05B40',NULL);
INSERT INTO "measurement" VALUES(12,1,2,0.5,0.4,0.6,3,NULL,NULL);
INSERT INTO "measurement" VALUES(12,2,3,1073741824.0,NULL,NULL,1,NULL,NULL);
INSERT INTO "measurement" VALUES(13,0,1,111.0,NULL,NULL,3,X'0000000000805B400000000000C05B400000000000005C40',NULL);
INSERT INTO "measurement" VALUES(13,1,2,0.51,0.4,0.6,3,NULL,NULL);
INSERT INTO "measurement" VALUES(13,2,3,1073741824.0,NULL,NULL,1,NULL,NULL);
INSERT INTO "measurement" VALUES(14,0,1,811.0,NULL,NULL,3,X'000000000050894000000000005889400000000000608940',NULL);
INSERT INTO "measurement" VALUES(14,1,2,0.51,0.4,0.6,3,NULL,NULL);
INSERT INTO "measurement" VALUES(14,2,3,1073741824.0,NULL,NULL,1,NULL,NULL);
INSERT INTO "measurement" VALUES(15,0,1,111.0,NULL,NULL,3,X'0000000000805B400000000000C05B400000000000005C40',NULL);
INSERT INTO "measurement" VALUES(15,1,2,0.51,0.4,0.6,3,NULL,NULL);
INSERT INTO "measurement" VALUES(15,2,3,1073741824.0,NULL,NULL,1,NULL,NULL);
INSERT INTO "measurement" VALUES(16,0,1,112.0,NULL,NULL,3,X'0000000000C05B400000000000005C400000000000405C40',NULL);
INSERT INTO "measurement" VALUES(16,1,2,0.52,0.4,0.6,3,NULL,NULL);
INSERT INTO "measurement" VALUES(16,2,3,1073741824.0,NULL,NULL,1,NULL,NULL);
INSERT INTO "measurement" VALUES(17,0,1,812.0,NULL,NULL,3,X'000000000058894000000000006089400000000000688940',NULL);
INSERT INTO "measurement" VALUES(17,1,2,0.52,0.4,0.6,3,NULL,NULL);
INSERT INTO "measurement" VALUES(17,2,3,1073741824.0,NULL,NULL,1,NULL,NULL);
INSERT INTO "measurement" VALUES(18,0,1,112.0,NULL,NULL,3,X'0000000000C05B400000000000005C400000000000405C40',NULL);
INSERT INTO "measurement" VALUES(18,1,2,0.52,0.4,0.6,3,NULL,NULL);
INSERT INTO "measurement" VALUES(18,2,3,1073741824.0,NULL,NULL,1,NULL,NULL);
INSERT INTO "measurement" VALUES(19,0,4,4096.0,NULL,NULL,1,X'000000000000B040',NULL);
INSERT INTO "measurement" VALUES(20,0,5,1.23456789012345666376e+03,1200.0,1270.5,3,X'000000000044934000000000004A9340C898BB96D0509340',NULL);
INSERT INTO "measurement" VALUES(20,1,3,123456789.0,NULL,NULL,1,X'00000054346F9D41',NULL);
INSERT INTO "measurement" VALUES(21,0,4,10000000.0,NULL,NULL,1,X'00000000D0126341',NULL);
INSERT INTO "measurement" VALUES(27,0,4,4096.0,NULL,NULL,1,X'000000000000B040',NULL);
INSERT INTO "measurement" VALUES(28,0,6,3.25,NULL,NULL,12,NULL,'nll');
CREATE TABLE outcome (
	run_id INTEGER NOT NULL, 
	json TEXT NOT NULL, 
	CONSTRAINT pk_outcome PRIMARY KEY (run_id), 
	CONSTRAINT fk_outcome_run_id_run FOREIGN KEY(run_id) REFERENCES run (id)
);
INSERT INTO "outcome" VALUES(1,'{"artifact":null,"inputs":[],"job":{"artifact":null,"clean":false,"content_before":null,"environment":"cuda","inputs":[{"content":"ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7","engine":null,"engine_options":{},"id":"b-0123456789ab","path":"","provenance":{},"role":"artifact"}],"key":"3a98405dec95eecda26d7eae6295e27e939446baa0df94cf113161923b9542e7","kind":"speed","labels":{"block":"speed","method":"int4_rtn","model":"tiny","recipe":"ort-genai","reference":"","sweep":"nightly"},"order":1,"out":null,"round":0,"run":"night-001","schema_version":1,"session":"s-night-0","spec":{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"batch":1,"concurrency":8,"output":32,"prompt":128,"request_rate":"inf","seed":1}},"timeout_seconds":null},"measurements":[],"notes":[],"origin":"measured","protocol":{"beyond_trained":0,"bos":true,"dtype":"float32","facts":{},"gpu_count":0,"limit":null,"name":"genai-e2e","prompt_tokens":null,"repetitions":3,"scored":null,"skipped":0,"truncated":0,"version":2,"warmups":1},"provider":"cpu","reason":null,"schema_version":1,"seconds":1.5,"spans":{},"started":"2026-01-31T12:00:01Z","status":"ok","written_by":"worker"}');
INSERT INTO "outcome" VALUES(2,'{"artifact":null,"inputs":[],"job":{"artifact":null,"clean":false,"content_before":null,"environment":"cuda","inputs":[{"content":"ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7","engine":null,"engine_options":{},"id":"b-0123456789ab","path":"","provenance":{},"role":"artifact"}],"key":"5734f8e4669f013e7a69a0461fc59fc13c1382a96a421b8a3fcfa2e52eedaea4","kind":"speed","labels":{"block":"speed","method":"int4_rtn","model":"tiny","recipe":"ort-genai","reference":"","sweep":"nightly"},"order":2,"out":null,"round":0,"run":"night-002","schema_version":1,"session":"s-night-0","spec":{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"batch":8,"concurrency":8,"output":32,"prompt":128,"request_rate":"inf","seed":8}},"timeout_seconds":null},"measurements":[],"notes":[],"origin":"measured","protocol":{"beyond_trained":0,"bos":true,"dtype":"float32","facts":{},"gpu_count":0,"limit":null,"name":"genai-e2e","prompt_tokens":null,"repetitions":3,"scored":null,"skipped":0,"truncated":0,"version":2,"warmups":1},"provider":"cpu","reason":null,"schema_version":1,"seconds":1.5,"spans":{},"started":"2026-01-31T12:00:02Z","status":"ok","written_by":"worker"}');
INSERT INTO "outcome" VALUES(3,'{"artifact":null,"inputs":[],"job":{"artifact":null,"clean":false,"content_before":null,"environment":"cuda","inputs":[{"content":"ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7","engine":null,"engine_options":{},"id":"b-0123456789ab","path":"","provenance":{},"role":"artifact"}],"key":"df72e311efb7f645c1cd73337c69e64d990d201f6ce673f8546c181ceba345d2","kind":"speed","labels":{"block":"speed","method":"int8_rtn","model":"tiny","recipe":"ort-genai","reference":"","sweep":"nightly"},"order":3,"out":null,"round":0,"run":"night-003","schema_version":1,"session":"s-night-0","spec":{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"batch":1,"concurrency":8,"output":32,"prompt":256,"request_rate":"inf","seed":1}},"timeout_seconds":null},"measurements":[],"notes":[],"origin":"measured","protocol":{"beyond_trained":0,"bos":true,"dtype":"float32","facts":{},"gpu_count":0,"limit":null,"name":"genai-e2e","prompt_tokens":null,"repetitions":3,"scored":null,"skipped":0,"truncated":0,"version":2,"warmups":1},"provider":"cpu","reason":null,"schema_version":1,"seconds":1.5,"spans":{},"started":"2026-01-31T12:00:03Z","status":"ok","written_by":"worker"}');
INSERT INTO "outcome" VALUES(4,'{"artifact":null,"inputs":[],"job":{"artifact":null,"clean":false,"content_before":null,"environment":"cuda","inputs":[{"content":"ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7","engine":null,"engine_options":{},"id":"b-0123456789ab","path":"","provenance":{},"role":"artifact"}],"key":"3a98405dec95eecda26d7eae6295e27e939446baa0df94cf113161923b9542e7","kind":"speed","labels":{"block":"speed","method":"int4_rtn","model":"tiny","recipe":"ort-genai","reference":"","sweep":"nightly"},"order":4,"out":null,"round":1,"run":"night-004","schema_version":1,"session":"s-night-0","spec":{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"batch":1,"concurrency":8,"output":32,"prompt":128,"request_rate":"inf","seed":1}},"timeout_seconds":null},"measurements":[],"notes":[],"origin":"measured","protocol":{"beyond_trained":0,"bos":true,"dtype":"float32","facts":{},"gpu_count":0,"limit":null,"name":"genai-e2e","prompt_tokens":null,"repetitions":3,"scored":null,"skipped":0,"truncated":0,"version":2,"warmups":1},"provider":"cpu","reason":null,"schema_version":1,"seconds":1.5,"spans":{},"started":"2026-01-31T12:00:04Z","status":"ok","written_by":"worker"}');
INSERT INTO "outcome" VALUES(5,'{"artifact":null,"inputs":[],"job":{"artifact":null,"clean":false,"content_before":null,"environment":"cuda","inputs":[{"content":"ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7","engine":null,"engine_options":{},"id":"b-0123456789ab","path":"","provenance":{},"role":"artifact"}],"key":"5734f8e4669f013e7a69a0461fc59fc13c1382a96a421b8a3fcfa2e52eedaea4","kind":"speed","labels":{"block":"speed","method":"int4_rtn","model":"tiny","recipe":"ort-genai","reference":"","sweep":"nightly"},"order":5,"out":null,"round":1,"run":"night-005","schema_version":1,"session":"s-night-0","spec":{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"batch":8,"concurrency":8,"output":32,"prompt":128,"request_rate":"inf","seed":8}},"timeout_seconds":null},"measurements":[],"notes":[],"origin":"measured","protocol":{"beyond_trained":0,"bos":true,"dtype":"float32","facts":{},"gpu_count":0,"limit":null,"name":"genai-e2e","prompt_tokens":null,"repetitions":3,"scored":null,"skipped":0,"truncated":0,"version":2,"warmups":1},"provider":"cpu","reason":null,"schema_version":1,"seconds":1.5,"spans":{},"started":"2026-01-31T12:00:05Z","status":"ok","written_by":"worker"}');
INSERT INTO "outcome" VALUES(6,'{"artifact":null,"inputs":[],"job":{"artifact":null,"clean":false,"content_before":null,"environment":"cuda","inputs":[{"content":"ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7","engine":null,"engine_options":{},"id":"b-0123456789ab","path":"","provenance":{},"role":"artifact"}],"key":"df72e311efb7f645c1cd73337c69e64d990d201f6ce673f8546c181ceba345d2","kind":"speed","labels":{"block":"speed","method":"int8_rtn","model":"tiny","recipe":"ort-genai","reference":"","sweep":"nightly"},"order":6,"out":null,"round":1,"run":"night-006","schema_version":1,"session":"s-night-0","spec":{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"batch":1,"concurrency":8,"output":32,"prompt":256,"request_rate":"inf","seed":1}},"timeout_seconds":null},"measurements":[],"notes":[],"origin":"measured","protocol":{"beyond_trained":0,"bos":true,"dtype":"float32","facts":{},"gpu_count":0,"limit":null,"name":"genai-e2e","prompt_tokens":null,"repetitions":3,"scored":null,"skipped":0,"truncated":0,"version":2,"warmups":1},"provider":"cpu","reason":null,"schema_version":1,"seconds":1.5,"spans":{},"started":"2026-01-31T12:00:06Z","status":"ok","written_by":"worker"}');
INSERT INTO "outcome" VALUES(7,'{"artifact":null,"inputs":[],"job":{"artifact":null,"clean":false,"content_before":null,"environment":"cuda","inputs":[{"content":"ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7","engine":null,"engine_options":{},"id":"b-0123456789ab","path":"","provenance":{},"role":"artifact"}],"key":"3a98405dec95eecda26d7eae6295e27e939446baa0df94cf113161923b9542e7","kind":"speed","labels":{"block":"speed","method":"int4_rtn","model":"tiny","recipe":"ort-genai","reference":"","sweep":"nightly"},"order":7,"out":null,"round":2,"run":"night-007","schema_version":1,"session":"s-night-0","spec":{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"batch":1,"concurrency":8,"output":32,"prompt":128,"request_rate":"inf","seed":1}},"timeout_seconds":null},"measurements":[],"notes":[],"origin":"measured","protocol":{"beyond_trained":0,"bos":true,"dtype":"float32","facts":{},"gpu_count":0,"limit":null,"name":"genai-e2e","prompt_tokens":null,"repetitions":3,"scored":null,"skipped":0,"truncated":0,"version":2,"warmups":1},"provider":"cpu","reason":null,"schema_version":1,"seconds":1.5,"spans":{},"started":"2026-01-31T12:00:07Z","status":"ok","written_by":"worker"}');
INSERT INTO "outcome" VALUES(8,'{"artifact":null,"inputs":[],"job":{"artifact":null,"clean":false,"content_before":null,"environment":"cuda","inputs":[{"content":"ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7","engine":null,"engine_options":{},"id":"b-0123456789ab","path":"","provenance":{},"role":"artifact"}],"key":"5734f8e4669f013e7a69a0461fc59fc13c1382a96a421b8a3fcfa2e52eedaea4","kind":"speed","labels":{"block":"speed","method":"int4_rtn","model":"tiny","recipe":"ort-genai","reference":"","sweep":"nightly"},"order":8,"out":null,"round":2,"run":"night-008","schema_version":1,"session":"s-night-0","spec":{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"batch":8,"concurrency":8,"output":32,"prompt":128,"request_rate":"inf","seed":8}},"timeout_seconds":null},"measurements":[],"notes":[],"origin":"measured","protocol":{"beyond_trained":0,"bos":true,"dtype":"float32","facts":{},"gpu_count":0,"limit":null,"name":"genai-e2e","prompt_tokens":null,"repetitions":3,"scored":null,"skipped":0,"truncated":0,"version":2,"warmups":1},"provider":"cpu","reason":null,"schema_version":1,"seconds":1.5,"spans":{},"started":"2026-01-31T12:00:08Z","status":"ok","written_by":"worker"}');
INSERT INTO "outcome" VALUES(9,'{"artifact":null,"inputs":[],"job":{"artifact":null,"clean":false,"content_before":null,"environment":"cuda","inputs":[{"content":"ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7","engine":null,"engine_options":{},"id":"b-0123456789ab","path":"","provenance":{},"role":"artifact"}],"key":"df72e311efb7f645c1cd73337c69e64d990d201f6ce673f8546c181ceba345d2","kind":"speed","labels":{"block":"speed","method":"int8_rtn","model":"tiny","recipe":"ort-genai","reference":"","sweep":"nightly"},"order":9,"out":null,"round":2,"run":"night-009","schema_version":1,"session":"s-night-0","spec":{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"batch":1,"concurrency":8,"output":32,"prompt":256,"request_rate":"inf","seed":1}},"timeout_seconds":null},"measurements":[],"notes":[],"origin":"measured","protocol":{"beyond_trained":0,"bos":true,"dtype":"float32","facts":{},"gpu_count":0,"limit":null,"name":"genai-e2e","prompt_tokens":null,"repetitions":3,"scored":null,"skipped":0,"truncated":0,"version":2,"warmups":1},"provider":"cpu","reason":null,"schema_version":1,"seconds":1.5,"spans":{},"started":"2026-01-31T12:00:09Z","status":"ok","written_by":"worker"}');
INSERT INTO "outcome" VALUES(10,'{"artifact":null,"inputs":[],"job":{"artifact":null,"clean":false,"content_before":null,"environment":"cuda","inputs":[{"content":"ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7","engine":null,"engine_options":{},"id":"b-0123456789ab","path":"","provenance":{},"role":"artifact"}],"key":"3a98405dec95eecda26d7eae6295e27e939446baa0df94cf113161923b9542e7","kind":"speed","labels":{"block":"speed","method":"int4_rtn","model":"tiny","recipe":"ort-genai","reference":"","sweep":"nightly"},"order":10,"out":null,"round":0,"run":"night-010","schema_version":1,"session":"s-night-1","spec":{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"batch":1,"concurrency":8,"output":32,"prompt":128,"request_rate":"inf","seed":1}},"timeout_seconds":null},"measurements":[],"notes":[],"origin":"measured","protocol":{"beyond_trained":0,"bos":true,"dtype":"float32","facts":{},"gpu_count":0,"limit":null,"name":"genai-e2e","prompt_tokens":null,"repetitions":3,"scored":null,"skipped":0,"truncated":0,"version":2,"warmups":1},"provider":"cpu","reason":null,"schema_version":1,"seconds":1.5,"spans":{},"started":"2026-02-01T12:00:10Z","status":"ok","written_by":"worker"}');
INSERT INTO "outcome" VALUES(11,'{"artifact":null,"inputs":[],"job":{"artifact":null,"clean":false,"content_before":null,"environment":"cuda","inputs":[{"content":"ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7","engine":null,"engine_options":{},"id":"b-0123456789ab","path":"","provenance":{},"role":"artifact"}],"key":"5734f8e4669f013e7a69a0461fc59fc13c1382a96a421b8a3fcfa2e52eedaea4","kind":"speed","labels":{"block":"speed","method":"int4_rtn","model":"tiny","recipe":"ort-genai","reference":"","sweep":"nightly"},"order":11,"out":null,"round":0,"run":"night-011","schema_version":1,"session":"s-night-1","spec":{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"batch":8,"concurrency":8,"output":32,"prompt":128,"request_rate":"inf","seed":8}},"timeout_seconds":null},"measurements":[],"notes":[],"origin":"measured","protocol":{"beyond_trained":0,"bos":true,"dtype":"float32","facts":{},"gpu_count":0,"limit":null,"name":"genai-e2e","prompt_tokens":null,"repetitions":3,"scored":null,"skipped":0,"truncated":0,"version":2,"warmups":1},"provider":"cpu","reason":null,"schema_version":1,"seconds":1.5,"spans":{},"started":"2026-02-01T12:00:11Z","status":"ok","written_by":"worker"}');
INSERT INTO "outcome" VALUES(12,'{"artifact":null,"inputs":[],"job":{"artifact":null,"clean":false,"content_before":null,"environment":"cuda","inputs":[{"content":"ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7","engine":null,"engine_options":{},"id":"b-0123456789ab","path":"","provenance":{},"role":"artifact"}],"key":"df72e311efb7f645c1cd73337c69e64d990d201f6ce673f8546c181ceba345d2","kind":"speed","labels":{"block":"speed","method":"int8_rtn","model":"tiny","recipe":"ort-genai","reference":"","sweep":"nightly"},"order":12,"out":null,"round":0,"run":"night-012","schema_version":1,"session":"s-night-1","spec":{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"batch":1,"concurrency":8,"output":32,"prompt":256,"request_rate":"inf","seed":1}},"timeout_seconds":null},"measurements":[],"notes":[],"origin":"measured","protocol":{"beyond_trained":0,"bos":true,"dtype":"float32","facts":{},"gpu_count":0,"limit":null,"name":"genai-e2e","prompt_tokens":null,"repetitions":3,"scored":null,"skipped":0,"truncated":0,"version":2,"warmups":1},"provider":"cpu","reason":null,"schema_version":1,"seconds":1.5,"spans":{},"started":"2026-02-01T12:00:12Z","status":"ok","written_by":"worker"}');
INSERT INTO "outcome" VALUES(13,'{"artifact":null,"inputs":[],"job":{"artifact":null,"clean":false,"content_before":null,"environment":"cuda","inputs":[{"content":"ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7","engine":null,"engine_options":{},"id":"b-0123456789ab","path":"","provenance":{},"role":"artifact"}],"key":"3a98405dec95eecda26d7eae6295e27e939446baa0df94cf113161923b9542e7","kind":"speed","labels":{"block":"speed","method":"int4_rtn","model":"tiny","recipe":"ort-genai","reference":"","sweep":"nightly"},"order":13,"out":null,"round":1,"run":"night-013","schema_version":1,"session":"s-night-1","spec":{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"batch":1,"concurrency":8,"output":32,"prompt":128,"request_rate":"inf","seed":1}},"timeout_seconds":null},"measurements":[],"notes":[],"origin":"measured","protocol":{"beyond_trained":0,"bos":true,"dtype":"float32","facts":{},"gpu_count":0,"limit":null,"name":"genai-e2e","prompt_tokens":null,"repetitions":3,"scored":null,"skipped":0,"truncated":0,"version":2,"warmups":1},"provider":"cpu","reason":null,"schema_version":1,"seconds":1.5,"spans":{},"started":"2026-02-01T12:00:13Z","status":"ok","written_by":"worker"}');
INSERT INTO "outcome" VALUES(14,'{"artifact":null,"inputs":[],"job":{"artifact":null,"clean":false,"content_before":null,"environment":"cuda","inputs":[{"content":"ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7","engine":null,"engine_options":{},"id":"b-0123456789ab","path":"","provenance":{},"role":"artifact"}],"key":"5734f8e4669f013e7a69a0461fc59fc13c1382a96a421b8a3fcfa2e52eedaea4","kind":"speed","labels":{"block":"speed","method":"int4_rtn","model":"tiny","recipe":"ort-genai","reference":"","sweep":"nightly"},"order":14,"out":null,"round":1,"run":"night-014","schema_version":1,"session":"s-night-1","spec":{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"batch":8,"concurrency":8,"output":32,"prompt":128,"request_rate":"inf","seed":8}},"timeout_seconds":null},"measurements":[],"notes":[],"origin":"measured","protocol":{"beyond_trained":0,"bos":true,"dtype":"float32","facts":{},"gpu_count":0,"limit":null,"name":"genai-e2e","prompt_tokens":null,"repetitions":3,"scored":null,"skipped":0,"truncated":0,"version":2,"warmups":1},"provider":"cpu","reason":null,"schema_version":1,"seconds":1.5,"spans":{},"started":"2026-02-01T12:00:14Z","status":"ok","written_by":"worker"}');
INSERT INTO "outcome" VALUES(15,'{"artifact":null,"inputs":[],"job":{"artifact":null,"clean":false,"content_before":null,"environment":"cuda","inputs":[{"content":"ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7","engine":null,"engine_options":{},"id":"b-0123456789ab","path":"","provenance":{},"role":"artifact"}],"key":"df72e311efb7f645c1cd73337c69e64d990d201f6ce673f8546c181ceba345d2","kind":"speed","labels":{"block":"speed","method":"int8_rtn","model":"tiny","recipe":"ort-genai","reference":"","sweep":"nightly"},"order":15,"out":null,"round":1,"run":"night-015","schema_version":1,"session":"s-night-1","spec":{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"batch":1,"concurrency":8,"output":32,"prompt":256,"request_rate":"inf","seed":1}},"timeout_seconds":null},"measurements":[],"notes":[],"origin":"measured","protocol":{"beyond_trained":0,"bos":true,"dtype":"float32","facts":{},"gpu_count":0,"limit":null,"name":"genai-e2e","prompt_tokens":null,"repetitions":3,"scored":null,"skipped":0,"truncated":0,"version":2,"warmups":1},"provider":"cpu","reason":null,"schema_version":1,"seconds":1.5,"spans":{},"started":"2026-02-01T12:00:15Z","status":"ok","written_by":"worker"}');
INSERT INTO "outcome" VALUES(16,'{"artifact":null,"inputs":[],"job":{"artifact":null,"clean":false,"content_before":null,"environment":"cuda","inputs":[{"content":"ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7","engine":null,"engine_options":{},"id":"b-0123456789ab","path":"","provenance":{},"role":"artifact"}],"key":"3a98405dec95eecda26d7eae6295e27e939446baa0df94cf113161923b9542e7","kind":"speed","labels":{"block":"speed","method":"int4_rtn","model":"tiny","recipe":"ort-genai","reference":"","sweep":"nightly"},"order":16,"out":null,"round":2,"run":"night-016","schema_version":1,"session":"s-night-1","spec":{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"batch":1,"concurrency":8,"output":32,"prompt":128,"request_rate":"inf","seed":1}},"timeout_seconds":null},"measurements":[],"notes":[],"origin":"measured","protocol":{"beyond_trained":0,"bos":true,"dtype":"float32","facts":{},"gpu_count":0,"limit":null,"name":"genai-e2e","prompt_tokens":null,"repetitions":3,"scored":null,"skipped":0,"truncated":0,"version":2,"warmups":1},"provider":"cpu","reason":null,"schema_version":1,"seconds":1.5,"spans":{},"started":"2026-02-01T12:00:16Z","status":"ok","written_by":"worker"}');
INSERT INTO "outcome" VALUES(17,'{"artifact":null,"inputs":[],"job":{"artifact":null,"clean":false,"content_before":null,"environment":"cuda","inputs":[{"content":"ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7","engine":null,"engine_options":{},"id":"b-0123456789ab","path":"","provenance":{},"role":"artifact"}],"key":"5734f8e4669f013e7a69a0461fc59fc13c1382a96a421b8a3fcfa2e52eedaea4","kind":"speed","labels":{"block":"speed","method":"int4_rtn","model":"tiny","recipe":"ort-genai","reference":"","sweep":"nightly"},"order":17,"out":null,"round":2,"run":"night-017","schema_version":1,"session":"s-night-1","spec":{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"batch":8,"concurrency":8,"output":32,"prompt":128,"request_rate":"inf","seed":8}},"timeout_seconds":null},"measurements":[],"notes":[],"origin":"measured","protocol":{"beyond_trained":0,"bos":true,"dtype":"float32","facts":{},"gpu_count":0,"limit":null,"name":"genai-e2e","prompt_tokens":null,"repetitions":3,"scored":null,"skipped":0,"truncated":0,"version":2,"warmups":1},"provider":"cpu","reason":null,"schema_version":1,"seconds":1.5,"spans":{},"started":"2026-02-01T12:00:17Z","status":"ok","written_by":"worker"}');
INSERT INTO "outcome" VALUES(18,'{"artifact":null,"inputs":[],"job":{"artifact":null,"clean":false,"content_before":null,"environment":"cuda","inputs":[{"content":"ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7","engine":null,"engine_options":{},"id":"b-0123456789ab","path":"","provenance":{},"role":"artifact"}],"key":"df72e311efb7f645c1cd73337c69e64d990d201f6ce673f8546c181ceba345d2","kind":"speed","labels":{"block":"speed","method":"int8_rtn","model":"tiny","recipe":"ort-genai","reference":"","sweep":"nightly"},"order":18,"out":null,"round":2,"run":"night-018","schema_version":1,"session":"s-night-1","spec":{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"batch":1,"concurrency":8,"output":32,"prompt":256,"request_rate":"inf","seed":1}},"timeout_seconds":null},"measurements":[],"notes":[],"origin":"measured","protocol":{"beyond_trained":0,"bos":true,"dtype":"float32","facts":{},"gpu_count":0,"limit":null,"name":"genai-e2e","prompt_tokens":null,"repetitions":3,"scored":null,"skipped":0,"truncated":0,"version":2,"warmups":1},"provider":"cpu","reason":null,"schema_version":1,"seconds":1.5,"spans":{},"started":"2026-02-01T12:00:18Z","status":"ok","written_by":"worker"}');
INSERT INTO "outcome" VALUES(19,'{"artifact":{"bytes":4096,"content":"ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7","facts":{},"files":3,"format":"ort-genai","id":"b-0123456789ab","layers":{"int4 b32":7},"peak_rss_bytes":null,"seconds":null,"weights_bytes":null},"inputs":[],"job":{"artifact":"b-0123456789ab","clean":false,"content_before":null,"environment":"cpu","inputs":[],"key":"ccc10216db329b01106048c09813cedbd8c9acc81777d2512374bb27281c2516","kind":"build","labels":{"block":"","method":"int4_rtn","model":"tiny","recipe":"","reference":"","sweep":"quickstart"},"order":0,"out":null,"round":0,"run":"run-000001","schema_version":1,"session":"","spec":{"base":null,"contents":{},"model":"18fb9fa0b971b807a1312d3702d18747a3b1b39a129df8c5d1a8f68d512bd1fd","options":{"precision":"int4"},"quantizer":"ort-genai","version":1},"timeout_seconds":null},"measurements":[],"notes":[{"code":"awq-lite-without-cupy","text":"AWQ search ran on the CPU"}],"origin":"measured","protocol":null,"provider":null,"reason":null,"schema_version":1,"seconds":20.25,"spans":{"build":18.25,"hash":0.5,"import":1.5},"started":"2026-01-31T12:00:01Z","status":"ok","written_by":"worker"}');
INSERT INTO "outcome" VALUES(20,'{"artifact":null,"inputs":[],"job":{"artifact":null,"clean":false,"content_before":null,"environment":"cuda","inputs":[{"content":"ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7","engine":null,"engine_options":{},"id":"b-0123456789ab","path":"","provenance":{},"role":"artifact"}],"key":"6c413df0683cb8ab81071e18421479dfd9834224de342d75a4a6b411b781b786","kind":"speed","labels":{"block":"speed","method":"int4_rtn","model":"tiny","recipe":"ort-genai","reference":"","sweep":"quickstart"},"order":3,"out":null,"round":0,"run":"run-000003","schema_version":1,"session":"s-1","spec":{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"batch":4,"output":64,"prompt":128}},"timeout_seconds":null},"measurements":[],"notes":[],"origin":"measured","protocol":{"beyond_trained":0,"bos":true,"dtype":"float16","facts":{},"gpu_count":1,"limit":null,"name":"genai-e2e","prompt_tokens":128,"repetitions":3,"scored":null,"skipped":0,"truncated":0,"version":2,"warmups":2},"provider":"cuda","reason":null,"schema_version":1,"seconds":1.5,"spans":{},"started":"2026-01-31T12:00:03Z","status":"ok","written_by":"worker"}');
INSERT INTO "outcome" VALUES(21,'{"artifact":{"bytes":10000000,"content":"9f3b52962ed8cfc7087cc7a5055be172bc57f0cdd285ae69cef6568801d6a7e9","facts":{},"files":2,"format":"reference","id":"r-0123456789ab","layers":{},"peak_rss_bytes":null,"seconds":4.5,"weights_bytes":null},"inputs":[],"job":{"artifact":"r-0123456789ab","clean":false,"content_before":null,"environment":"cpu","inputs":[{"content":"ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7","engine":null,"engine_options":{},"id":"b-0123456789ab","path":"","provenance":{},"role":"artifact"}],"key":"e388ccc9dd1f0f00068f3ea79502e15650c0d8be416df4e3710489c82e7b0bb0","kind":"reference","labels":{"block":"speed","method":"int4_rtn","model":"tiny","recipe":"ort-genai","reference":"","sweep":"quickstart"},"order":4,"out":null,"round":0,"run":"run-000004","schema_version":1,"session":"s-1","spec":{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"text":"reference","tokens":5000}},"timeout_seconds":null},"measurements":[],"notes":[],"origin":"measured","protocol":{"beyond_trained":0,"bos":true,"dtype":"float32","facts":{},"gpu_count":0,"limit":null,"name":"genai-e2e","prompt_tokens":null,"repetitions":3,"scored":null,"skipped":0,"truncated":0,"version":2,"warmups":1},"provider":"cpu","reason":null,"schema_version":1,"seconds":1.5,"spans":{},"started":"2026-01-31T12:00:04Z","status":"ok","written_by":"worker"}');
INSERT INTO "outcome" VALUES(22,'{"artifact":null,"inputs":[],"job":{"artifact":null,"clean":false,"content_before":null,"environment":"cpu","inputs":[{"content":"ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7","engine":null,"engine_options":{},"id":"b-0123456789ab","path":"","provenance":{},"role":"artifact"}],"key":"c2238dd0e478633045714fe3c5f306d5a052f6ec390ecdade4e9529651b7e310","kind":"speed","labels":{"block":"speed","method":"int4_rtn","model":"tiny","recipe":"ort-genai","reference":"","sweep":"quickstart"},"order":10,"out":null,"round":0,"run":"run-000010","schema_version":1,"session":"s-1","spec":{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"batch":1,"prompt":128}},"timeout_seconds":null},"measurements":[],"notes":[],"origin":"measured","protocol":null,"provider":"cpu","reason":"out of memory: 3 processes were killed in this control group","schema_version":1,"seconds":1.5,"spans":{},"started":"2026-01-31T12:00:10Z","status":"oom","written_by":"runner"}');
INSERT INTO "outcome" VALUES(23,'{"artifact":null,"inputs":[],"job":{"artifact":null,"clean":false,"content_before":null,"environment":"cpu","inputs":[{"content":"ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7","engine":null,"engine_options":{},"id":"b-0123456789ab","path":"","provenance":{},"role":"artifact"}],"key":"c2238dd0e478633045714fe3c5f306d5a052f6ec390ecdade4e9529651b7e310","kind":"speed","labels":{"block":"speed","method":"int4_rtn","model":"tiny","recipe":"ort-genai","reference":"","sweep":"quickstart"},"order":11,"out":null,"round":0,"run":"run-000011","schema_version":1,"session":"s-1","spec":{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"batch":1,"prompt":128}},"timeout_seconds":null},"measurements":[],"notes":[],"origin":"measured","protocol":null,"provider":"cpu","reason":"no end after 60 s","schema_version":1,"seconds":1.5,"spans":{},"started":"2026-01-31T12:00:11Z","status":"timeout","written_by":"runner"}');
INSERT INTO "outcome" VALUES(24,'{"artifact":null,"inputs":[],"job":{"artifact":null,"clean":false,"content_before":null,"environment":"cpu","inputs":[{"content":"ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7","engine":null,"engine_options":{},"id":"b-0123456789ab","path":"","provenance":{},"role":"artifact"}],"key":"c2238dd0e478633045714fe3c5f306d5a052f6ec390ecdade4e9529651b7e310","kind":"speed","labels":{"block":"speed","method":"int4_rtn","model":"tiny","recipe":"ort-genai","reference":"","sweep":"quickstart"},"order":12,"out":null,"round":0,"run":"run-000012","schema_version":1,"session":"s-1","spec":{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"batch":1,"prompt":128}},"timeout_seconds":null},"measurements":[],"notes":[],"origin":"measured","protocol":null,"provider":"cpu","reason":"signal 9","schema_version":1,"seconds":1.5,"spans":{},"started":"2026-01-31T12:00:12Z","status":"failed","written_by":"runner"}');
INSERT INTO "outcome" VALUES(25,'{"artifact":null,"inputs":[],"job":{"artifact":null,"clean":false,"content_before":null,"environment":"cpu","inputs":[{"content":"ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7","engine":null,"engine_options":{},"id":"b-0123456789ab","path":"","provenance":{},"role":"artifact"}],"key":"c2238dd0e478633045714fe3c5f306d5a052f6ec390ecdade4e9529651b7e310","kind":"speed","labels":{"block":"speed","method":"int4_rtn","model":"tiny","recipe":"ort-genai","reference":"","sweep":"quickstart"},"order":13,"out":null,"round":0,"run":"run-000013","schema_version":1,"session":"s-1","spec":{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"batch":1,"prompt":128}},"timeout_seconds":null},"measurements":[],"notes":[],"origin":"measured","protocol":null,"provider":"cpu","reason":"fp16 is not supported on CPU","schema_version":1,"seconds":1.5,"spans":{},"started":"2026-01-31T12:00:13Z","status":"unsupported","written_by":"runner"}');
INSERT INTO "outcome" VALUES(26,'{"artifact":null,"inputs":[],"job":{"artifact":null,"clean":false,"content_before":null,"environment":"cpu","inputs":[{"content":"ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7","engine":null,"engine_options":{},"id":"b-0123456789ab","path":"","provenance":{},"role":"artifact"}],"key":"c2238dd0e478633045714fe3c5f306d5a052f6ec390ecdade4e9529651b7e310","kind":"speed","labels":{"block":"speed","method":"int4_rtn","model":"tiny","recipe":"ort-genai","reference":"","sweep":"quickstart"},"order":90,"out":null,"round":0,"run":"run-000090","schema_version":1,"session":"s-1","spec":{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"batch":1,"prompt":128}},"timeout_seconds":null},"measurements":[],"notes":[],"origin":"measured","protocol":null,"provider":"cpu","reason":"killed for memory","schema_version":1,"seconds":1.5,"spans":{},"started":"2026-01-31T12:01:30Z","status":"oom","written_by":"runner"}');
INSERT INTO "outcome" VALUES(27,'{"artifact":{"bytes":4096,"content":"ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7","facts":{},"files":3,"format":"ort-genai","id":"b-0123456789ab","layers":{"int4 b32":7},"peak_rss_bytes":null,"seconds":null,"weights_bytes":null},"inputs":[],"job":{"artifact":"b-0123456789ab","clean":false,"content_before":null,"environment":"cpu","inputs":[],"key":"ccc10216db329b01106048c09813cedbd8c9acc81777d2512374bb27281c2516","kind":"build","labels":{"block":"","method":"int4_rtn","model":"tiny","recipe":"","reference":"","sweep":"quickstart"},"order":0,"out":null,"round":0,"run":"run-000091","schema_version":1,"session":"","spec":{"base":null,"contents":{},"model":"18fb9fa0b971b807a1312d3702d18747a3b1b39a129df8c5d1a8f68d512bd1fd","options":{"precision":"int4"},"quantizer":"ort-genai","version":1},"timeout_seconds":null},"measurements":[],"notes":[],"origin":"measured","protocol":null,"provider":null,"reason":null,"schema_version":1,"seconds":20.25,"spans":{},"started":"2026-01-31T12:01:31Z","status":"ok","written_by":"worker"}');
INSERT INTO "outcome" VALUES(28,'{"artifact":null,"inputs":[],"job":{"artifact":null,"clean":false,"content_before":null,"environment":"cpu","inputs":[{"content":"ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7","engine":null,"engine_options":{},"id":"b-0123456789ab","path":"","provenance":{},"role":"artifact"}],"key":"c2238dd0e478633045714fe3c5f306d5a052f6ec390ecdade4e9529651b7e310","kind":"quality","labels":{"block":"speed","method":"int4_rtn","model":"tiny","recipe":"ort-genai","reference":"","sweep":"quickstart"},"order":92,"out":null,"round":0,"run":"run-000092","schema_version":1,"session":"s-1","spec":{"artifact":"b-0123456789ab","contents":{},"engine":"ort-genai","engine_options":{"provider":"cpu"},"engine_version":1,"probe":"made_up","reference":null,"reference_engine":null,"version":1,"workload":{"batch":1,"prompt":128}},"timeout_seconds":null},"measurements":[],"notes":[],"origin":"measured","protocol":{"beyond_trained":0,"bos":true,"dtype":"float32","facts":{},"gpu_count":0,"limit":null,"name":"genai-e2e","prompt_tokens":null,"repetitions":3,"scored":null,"skipped":0,"truncated":0,"version":2,"warmups":1},"provider":"cpu","reason":null,"schema_version":1,"seconds":1.5,"spans":{},"started":"2026-01-31T12:01:32Z","status":"ok","written_by":"worker"}');
CREATE TABLE pin (
	id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	run_id INTEGER NOT NULL, 
	created VARCHAR(32) NOT NULL, 
	CONSTRAINT pk_pin PRIMARY KEY (id), 
	CONSTRAINT fk_pin_run_id_run FOREIGN KEY(run_id) REFERENCES run (id), 
	CONSTRAINT uq_pin_name UNIQUE (name, run_id)
);
CREATE TABLE placement (
	id INTEGER NOT NULL, 
	job_key VARCHAR NOT NULL, 
	environment VARCHAR NOT NULL, 
	sweep VARCHAR NOT NULL, 
	block VARCHAR NOT NULL, 
	model VARCHAR NOT NULL, 
	method VARCHAR NOT NULL, 
	recipe VARCHAR NOT NULL, 
	reference VARCHAR NOT NULL, 
	CONSTRAINT pk_placement PRIMARY KEY (id), 
	CONSTRAINT uq_placement_job_key UNIQUE (job_key, environment, sweep, block, model, method, recipe, reference)
);
INSERT INTO "placement" VALUES(1,'3a98405dec95eecda26d7eae6295e27e939446baa0df94cf113161923b9542e7','cuda','nightly','speed','tiny','int4_rtn','ort-genai','');
INSERT INTO "placement" VALUES(2,'5734f8e4669f013e7a69a0461fc59fc13c1382a96a421b8a3fcfa2e52eedaea4','cuda','nightly','speed','tiny','int4_rtn','ort-genai','');
INSERT INTO "placement" VALUES(3,'df72e311efb7f645c1cd73337c69e64d990d201f6ce673f8546c181ceba345d2','cuda','nightly','speed','tiny','int8_rtn','ort-genai','');
INSERT INTO "placement" VALUES(4,'ccc10216db329b01106048c09813cedbd8c9acc81777d2512374bb27281c2516','cpu','quickstart','','tiny','int4_rtn','','');
INSERT INTO "placement" VALUES(5,'6c413df0683cb8ab81071e18421479dfd9834224de342d75a4a6b411b781b786','cuda','quickstart','speed','tiny','int4_rtn','ort-genai','');
INSERT INTO "placement" VALUES(6,'e388ccc9dd1f0f00068f3ea79502e15650c0d8be416df4e3710489c82e7b0bb0','cpu','quickstart','speed','tiny','int4_rtn','ort-genai','');
INSERT INTO "placement" VALUES(7,'c2238dd0e478633045714fe3c5f306d5a052f6ec390ecdade4e9529651b7e310','cpu','quickstart','speed','tiny','int4_rtn','ort-genai','');
INSERT INTO "placement" VALUES(8,'3a98405dec95eecda26d7eae6295e27e939446baa0df94cf113161923b9542e7','cuda','other','','tiny-too','int4_rtn','','');
INSERT INTO "placement" VALUES(9,'5734f8e4669f013e7a69a0461fc59fc13c1382a96a421b8a3fcfa2e52eedaea4','cuda','other','','tiny-too','int4_rtn','','');
INSERT INTO "placement" VALUES(10,'df72e311efb7f645c1cd73337c69e64d990d201f6ce673f8546c181ceba345d2','cuda','other','','tiny-too','int4_rtn','','');
CREATE TABLE quantity (
	id INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	metric VARCHAR NOT NULL, 
	metric_version INTEGER NOT NULL, 
	part VARCHAR NOT NULL, 
	unit VARCHAR NOT NULL, 
	interval VARCHAR, 
	source VARCHAR, 
	items VARCHAR, 
	CONSTRAINT pk_quantity PRIMARY KEY (id), 
	CONSTRAINT uq_quantity_key UNIQUE ("key")
);
INSERT INTO "quantity" VALUES(1,'["decode_tps",1,"","tok/s",null,null,null]','decode_tps',1,'','tok/s',NULL,NULL,NULL);
INSERT INTO "quantity" VALUES(2,'["ttft",1,"","s","student-t 95%",null,null]','ttft',1,'','s','student-t 95%',NULL,NULL);
INSERT INTO "quantity" VALUES(3,'["peak_gpu_bytes",1,"","B",null,"nvml-process",null]','peak_gpu_bytes',1,'','B',NULL,'nvml-process',NULL);
INSERT INTO "quantity" VALUES(4,'["artifact_bytes",1,"","B",null,null,null]','artifact_bytes',1,'','B',NULL,NULL,NULL);
INSERT INTO "quantity" VALUES(5,'["decode_tps",1,"","tok/s","student-t 95%",null,null]','decode_tps',1,'','tok/s','student-t 95%',NULL,NULL);
INSERT INTO "quantity" VALUES(6,'["perplexity",1,"","",null,null,null]','perplexity',1,'','',NULL,NULL,NULL);
CREATE TABLE run (
	id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	job_id INTEGER NOT NULL, 
	environment_id INTEGER NOT NULL, 
	status VARCHAR NOT NULL, 
	reason TEXT, 
	origin VARCHAR NOT NULL, 
	started VARCHAR(32) NOT NULL, 
	seconds DOUBLE NOT NULL, 
	session VARCHAR NOT NULL, 
	round INTEGER NOT NULL, 
	"order" INTEGER NOT NULL, 
	written_by VARCHAR NOT NULL, 
	provider VARCHAR, 
	dtype VARCHAR, 
	protocol VARCHAR, 
	protocol_version INTEGER, 
	gpu_count INTEGER, 
	artifact VARCHAR, 
	artifact_content VARCHAR, 
	scored INTEGER, 
	skipped INTEGER, 
	truncated INTEGER, 
	warmups INTEGER, 
	repetitions INTEGER, 
	bos BOOLEAN, 
	prompt_tokens INTEGER, 
	beyond_trained INTEGER, 
	CONSTRAINT pk_run PRIMARY KEY (id), 
	CONSTRAINT ck_run_seconds CHECK (seconds >= 0), 
	CONSTRAINT fk_run_environment_id_environment FOREIGN KEY(environment_id) REFERENCES environment (id), 
	CONSTRAINT fk_run_job_id_job FOREIGN KEY(job_id) REFERENCES job (id), 
	CONSTRAINT uq_run_name UNIQUE (name)
);
INSERT INTO "run" VALUES(1,'night-001',1,1,'ok',NULL,'measured','2026-01-31T12:00:01.000000+00:00',1.5,'s-night-0',0,1,'worker','cpu','float32','genai-e2e',2,0,'b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7',NULL,0,0,1,3,1,NULL,0);
INSERT INTO "run" VALUES(2,'night-002',2,1,'ok',NULL,'measured','2026-01-31T12:00:02.000000+00:00',1.5,'s-night-0',0,2,'worker','cpu','float32','genai-e2e',2,0,'b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7',NULL,0,0,1,3,1,NULL,0);
INSERT INTO "run" VALUES(3,'night-003',3,1,'ok',NULL,'measured','2026-01-31T12:00:03.000000+00:00',1.5,'s-night-0',0,3,'worker','cpu','float32','genai-e2e',2,0,'b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7',NULL,0,0,1,3,1,NULL,0);
INSERT INTO "run" VALUES(4,'night-004',1,1,'ok',NULL,'measured','2026-01-31T12:00:04.000000+00:00',1.5,'s-night-0',1,4,'worker','cpu','float32','genai-e2e',2,0,'b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7',NULL,0,0,1,3,1,NULL,0);
INSERT INTO "run" VALUES(5,'night-005',2,1,'ok',NULL,'measured','2026-01-31T12:00:05.000000+00:00',1.5,'s-night-0',1,5,'worker','cpu','float32','genai-e2e',2,0,'b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7',NULL,0,0,1,3,1,NULL,0);
INSERT INTO "run" VALUES(6,'night-006',3,1,'ok',NULL,'measured','2026-01-31T12:00:06.000000+00:00',1.5,'s-night-0',1,6,'worker','cpu','float32','genai-e2e',2,0,'b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7',NULL,0,0,1,3,1,NULL,0);
INSERT INTO "run" VALUES(7,'night-007',1,1,'ok',NULL,'measured','2026-01-31T12:00:07.000000+00:00',1.5,'s-night-0',2,7,'worker','cpu','float32','genai-e2e',2,0,'b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7',NULL,0,0,1,3,1,NULL,0);
INSERT INTO "run" VALUES(8,'night-008',2,1,'ok',NULL,'measured','2026-01-31T12:00:08.000000+00:00',1.5,'s-night-0',2,8,'worker','cpu','float32','genai-e2e',2,0,'b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7',NULL,0,0,1,3,1,NULL,0);
INSERT INTO "run" VALUES(9,'night-009',3,1,'ok',NULL,'measured','2026-01-31T12:00:09.000000+00:00',1.5,'s-night-0',2,9,'worker','cpu','float32','genai-e2e',2,0,'b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7',NULL,0,0,1,3,1,NULL,0);
INSERT INTO "run" VALUES(10,'night-010',1,2,'ok',NULL,'measured','2026-02-01T12:00:10.000000+00:00',1.5,'s-night-1',0,10,'worker','cpu','float32','genai-e2e',2,0,'b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7',NULL,0,0,1,3,1,NULL,0);
INSERT INTO "run" VALUES(11,'night-011',2,2,'ok',NULL,'measured','2026-02-01T12:00:11.000000+00:00',1.5,'s-night-1',0,11,'worker','cpu','float32','genai-e2e',2,0,'b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7',NULL,0,0,1,3,1,NULL,0);
INSERT INTO "run" VALUES(12,'night-012',3,2,'ok',NULL,'measured','2026-02-01T12:00:12.000000+00:00',1.5,'s-night-1',0,12,'worker','cpu','float32','genai-e2e',2,0,'b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7',NULL,0,0,1,3,1,NULL,0);
INSERT INTO "run" VALUES(13,'night-013',1,2,'ok',NULL,'measured','2026-02-01T12:00:13.000000+00:00',1.5,'s-night-1',1,13,'worker','cpu','float32','genai-e2e',2,0,'b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7',NULL,0,0,1,3,1,NULL,0);
INSERT INTO "run" VALUES(14,'night-014',2,2,'ok',NULL,'measured','2026-02-01T12:00:14.000000+00:00',1.5,'s-night-1',1,14,'worker','cpu','float32','genai-e2e',2,0,'b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7',NULL,0,0,1,3,1,NULL,0);
INSERT INTO "run" VALUES(15,'night-015',3,2,'ok',NULL,'measured','2026-02-01T12:00:15.000000+00:00',1.5,'s-night-1',1,15,'worker','cpu','float32','genai-e2e',2,0,'b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7',NULL,0,0,1,3,1,NULL,0);
INSERT INTO "run" VALUES(16,'night-016',1,2,'ok',NULL,'measured','2026-02-01T12:00:16.000000+00:00',1.5,'s-night-1',2,16,'worker','cpu','float32','genai-e2e',2,0,'b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7',NULL,0,0,1,3,1,NULL,0);
INSERT INTO "run" VALUES(17,'night-017',2,2,'ok',NULL,'measured','2026-02-01T12:00:17.000000+00:00',1.5,'s-night-1',2,17,'worker','cpu','float32','genai-e2e',2,0,'b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7',NULL,0,0,1,3,1,NULL,0);
INSERT INTO "run" VALUES(18,'night-018',3,2,'ok',NULL,'measured','2026-02-01T12:00:18.000000+00:00',1.5,'s-night-1',2,18,'worker','cpu','float32','genai-e2e',2,0,'b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7',NULL,0,0,1,3,1,NULL,0);
INSERT INTO "run" VALUES(19,'run-000001',4,3,'ok',NULL,'measured','2026-01-31T12:00:01.000000+00:00',20.25,'',0,0,'worker',NULL,NULL,NULL,NULL,NULL,'b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "run" VALUES(20,'run-000003',5,4,'ok',NULL,'measured','2026-01-31T12:00:03.000000+00:00',1.5,'s-1',0,3,'worker','cuda','float16','genai-e2e',2,1,'b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7',NULL,0,0,2,3,1,128,0);
INSERT INTO "run" VALUES(21,'run-000004',6,3,'ok',NULL,'measured','2026-01-31T12:00:04.000000+00:00',1.5,'s-1',0,4,'worker','cpu','float32','genai-e2e',2,0,'r-0123456789ab','9f3b52962ed8cfc7087cc7a5055be172bc57f0cdd285ae69cef6568801d6a7e9',NULL,0,0,1,3,1,NULL,0);
INSERT INTO "run" VALUES(22,'run-000010',7,3,'oom','out of memory: 3 processes were killed in this control group','measured','2026-01-31T12:00:10.000000+00:00',1.5,'s-1',0,10,'runner','cpu',NULL,NULL,NULL,NULL,'b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "run" VALUES(23,'run-000011',7,3,'timeout','no end after 60 s','measured','2026-01-31T12:00:11.000000+00:00',1.5,'s-1',0,11,'runner','cpu',NULL,NULL,NULL,NULL,'b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "run" VALUES(24,'run-000012',7,3,'failed','signal 9','measured','2026-01-31T12:00:12.000000+00:00',1.5,'s-1',0,12,'runner','cpu',NULL,NULL,NULL,NULL,'b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "run" VALUES(25,'run-000013',7,3,'unsupported','fp16 is not supported on CPU','measured','2026-01-31T12:00:13.000000+00:00',1.5,'s-1',0,13,'runner','cpu',NULL,NULL,NULL,NULL,'b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "run" VALUES(26,'run-000090',7,3,'oom','killed for memory','measured','2026-01-31T12:01:30.000000+00:00',1.5,'s-1',0,90,'runner','cpu',NULL,NULL,NULL,NULL,'b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "run" VALUES(27,'run-000091',4,3,'ok',NULL,'measured','2026-01-31T12:01:31.000000+00:00',20.25,'',0,0,'worker',NULL,NULL,NULL,NULL,NULL,'b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "run" VALUES(28,'run-000092',7,3,'ok',NULL,'measured','2026-01-31T12:01:32.000000+00:00',1.5,'s-1',0,92,'worker','cpu','float32','genai-e2e',2,0,'b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7',NULL,0,0,1,3,1,NULL,0);
CREATE TABLE run_input (
	run_id INTEGER NOT NULL, 
	ordinal INTEGER NOT NULL, 
	role VARCHAR NOT NULL, 
	artifact VARCHAR NOT NULL, 
	content VARCHAR, 
	CONSTRAINT pk_run_input PRIMARY KEY (run_id, ordinal), 
	CONSTRAINT fk_run_input_run_id_run FOREIGN KEY(run_id) REFERENCES run (id)
);
INSERT INTO "run_input" VALUES(1,0,'artifact','b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7');
INSERT INTO "run_input" VALUES(2,0,'artifact','b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7');
INSERT INTO "run_input" VALUES(3,0,'artifact','b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7');
INSERT INTO "run_input" VALUES(4,0,'artifact','b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7');
INSERT INTO "run_input" VALUES(5,0,'artifact','b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7');
INSERT INTO "run_input" VALUES(6,0,'artifact','b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7');
INSERT INTO "run_input" VALUES(7,0,'artifact','b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7');
INSERT INTO "run_input" VALUES(8,0,'artifact','b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7');
INSERT INTO "run_input" VALUES(9,0,'artifact','b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7');
INSERT INTO "run_input" VALUES(10,0,'artifact','b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7');
INSERT INTO "run_input" VALUES(11,0,'artifact','b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7');
INSERT INTO "run_input" VALUES(12,0,'artifact','b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7');
INSERT INTO "run_input" VALUES(13,0,'artifact','b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7');
INSERT INTO "run_input" VALUES(14,0,'artifact','b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7');
INSERT INTO "run_input" VALUES(15,0,'artifact','b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7');
INSERT INTO "run_input" VALUES(16,0,'artifact','b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7');
INSERT INTO "run_input" VALUES(17,0,'artifact','b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7');
INSERT INTO "run_input" VALUES(18,0,'artifact','b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7');
INSERT INTO "run_input" VALUES(20,0,'artifact','b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7');
INSERT INTO "run_input" VALUES(21,0,'artifact','b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7');
INSERT INTO "run_input" VALUES(22,0,'artifact','b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7');
INSERT INTO "run_input" VALUES(23,0,'artifact','b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7');
INSERT INTO "run_input" VALUES(24,0,'artifact','b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7');
INSERT INTO "run_input" VALUES(25,0,'artifact','b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7');
INSERT INTO "run_input" VALUES(26,0,'artifact','b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7');
INSERT INTO "run_input" VALUES(28,0,'artifact','b-0123456789ab','ca86402b8bfc125fed3075ee951338970a4a46f48869eb5d10a9c3c3d48fd9c7');
CREATE TABLE samples (
	run_id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	sha256 VARCHAR NOT NULL, 
	shape VARCHAR NOT NULL, 
	dtype VARCHAR NOT NULL, 
	codec VARCHAR, 
	data BLOB, 
	CONSTRAINT pk_samples PRIMARY KEY (run_id, name), 
	CONSTRAINT fk_samples_run_id_run FOREIGN KEY(run_id) REFERENCES run (id)
);
INSERT INTO "samples" VALUES(28,'nll','22edc5af44de4d063ca2c72e95ee783f882e17a28cc285e8bd525f1c8233d7f6','[12]','float64','zlib',X'789C63608080492A9E4074C81E425FB2BFBD2D1784A0FC47F6DBC1DC6750F1D7F6105D1FA0F29FEC5541D4A42F5075DFECC15C959FF600071C2884');
CREATE TABLE session (
	id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	sweep VARCHAR NOT NULL, 
	started VARCHAR(32) NOT NULL, 
	finished VARCHAR(32), 
	"plan" VARCHAR NOT NULL, 
	CONSTRAINT pk_session PRIMARY KEY (id), 
	CONSTRAINT uq_session_name UNIQUE (name)
);
INSERT INTO "session" VALUES(1,'s-night-0','other','2026-01-31T12:00:00.000000+00:00',NULL,'dbf9868785714c2519824d5a01bea297a3ef16fa141bec86a4caff8320cdbc4c');
ANALYZE "sqlite_master";
CREATE INDEX ix_environment_box ON environment (box);
CREATE INDEX ix_environment_cores ON environment (cores);
CREATE INDEX ix_environment_cpu ON environment (cpu);
CREATE INDEX ix_environment_cuda ON environment (cuda);
CREATE INDEX ix_environment_driver ON environment (driver);
CREATE INDEX ix_environment_gpu ON environment (gpu);
CREATE INDEX ix_environment_harness ON environment (harness);
CREATE INDEX ix_environment_name ON environment (name);
CREATE INDEX ix_environment_python ON environment (python);
CREATE INDEX ix_environment_system ON environment (system);
CREATE INDEX ix_job_batch ON job (batch);
CREATE INDEX ix_job_engine ON job (engine);
CREATE INDEX ix_job_engine_options ON job (engine_options);
CREATE INDEX ix_job_kind ON job (kind);
CREATE INDEX ix_job_limit ON job ("limit");
CREATE INDEX ix_job_output ON job (output);
CREATE INDEX ix_job_probe ON job (probe);
CREATE INDEX ix_job_prompt ON job (prompt);
CREATE INDEX ix_job_quantizer ON job (quantizer);
CREATE INDEX ix_job_shots ON job (shots);
CREATE INDEX ix_job_stride ON job (stride);
CREATE INDEX ix_job_task ON job (task);
CREATE INDEX ix_job_text ON job (text);
CREATE INDEX ix_job_tokens ON job (tokens);
CREATE INDEX ix_job_window ON job (window);
CREATE INDEX ix_placement_block ON placement (block);
CREATE INDEX ix_placement_method ON placement (method);
CREATE INDEX ix_placement_model ON placement (model);
CREATE INDEX ix_placement_recipe ON placement (recipe);
CREATE INDEX ix_placement_reference ON placement (reference);
CREATE INDEX ix_placement_sweep ON placement (sweep);
CREATE INDEX ix_quantity_interval ON quantity (interval);
CREATE INDEX ix_quantity_items ON quantity (items);
CREATE INDEX ix_quantity_metric ON quantity (metric);
CREATE INDEX ix_quantity_metric_version ON quantity (metric_version);
CREATE INDEX ix_quantity_part ON quantity (part);
CREATE INDEX ix_quantity_source ON quantity (source);
CREATE INDEX ix_quantity_unit ON quantity (unit);
CREATE INDEX ix_session_sweep ON session (sweep);
CREATE INDEX ix_run_artifact ON run (artifact);
CREATE INDEX ix_run_artifact_content ON run (artifact_content);
CREATE INDEX ix_run_beyond_trained ON run (beyond_trained);
CREATE INDEX ix_run_bos ON run (bos);
CREATE INDEX ix_run_dtype ON run (dtype);
CREATE INDEX ix_run_environment_id ON run (environment_id);
CREATE INDEX ix_run_gpu_count ON run (gpu_count);
CREATE INDEX ix_run_job_id ON run (job_id);
CREATE INDEX ix_run_order ON run ("order");
CREATE INDEX ix_run_origin ON run (origin);
CREATE INDEX ix_run_prompt_tokens ON run (prompt_tokens);
CREATE INDEX ix_run_protocol ON run (protocol);
CREATE INDEX ix_run_protocol_version ON run (protocol_version);
CREATE INDEX ix_run_provider ON run (provider);
CREATE INDEX ix_run_repetitions ON run (repetitions);
CREATE INDEX ix_run_round ON run (round);
CREATE INDEX ix_run_scored ON run (scored);
CREATE INDEX ix_run_session ON run (session);
CREATE INDEX ix_run_skipped ON run (skipped);
CREATE INDEX ix_run_started ON run (started);
CREATE INDEX ix_run_status ON run (status);
CREATE INDEX ix_run_truncated ON run (truncated);
CREATE INDEX ix_run_warmups ON run (warmups);
CREATE INDEX ix_run_written_by ON run (written_by);
CREATE INDEX ix_artifact_content ON artifact (content);
CREATE INDEX ix_artifact_format ON artifact (format);
CREATE INDEX ix_artifact_id ON artifact (id);
CREATE INDEX ix_measurement_quantity_id ON measurement (quantity_id);
CREATE INDEX ix_pin_run_id ON pin (run_id);
CREATE INDEX ix_run_input_artifact ON run_input (artifact);
CREATE INDEX ix_run_input_content ON run_input (content);
COMMIT;
