CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE environment (
	id INTEGER NOT NULL, 
	digest VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	python VARCHAR NOT NULL, 
	system VARCHAR NOT NULL, 
	machine VARCHAR NOT NULL, 
	cpu VARCHAR NOT NULL, 
	box VARCHAR NOT NULL, 
	gpu VARCHAR, 
	driver VARCHAR, 
	cuda VARCHAR, 
	harness VARCHAR NOT NULL, 
	json TEXT NOT NULL, cores INTEGER, memory_bytes BIGINT, 
	CONSTRAINT pk_environment PRIMARY KEY (id), 
	CONSTRAINT uq_environment_digest UNIQUE (digest)
);
CREATE TABLE job (
	id INTEGER NOT NULL, 
	"key" VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	quantizer VARCHAR, 
	probe VARCHAR, 
	engine VARCHAR, 
	engine_options TEXT, 
	text VARCHAR, 
	task VARCHAR, 
	spec TEXT NOT NULL, request_rate DOUBLE, workload TEXT, "batch" BIGINT, "prompt" BIGINT, "output" BIGINT, "depth" BIGINT, "concurrency" BIGINT, "shots" BIGINT, "limit" BIGINT, "window" BIGINT, "stride" BIGINT, "tokens" BIGINT, 
	CONSTRAINT pk_job PRIMARY KEY (id), 
	CONSTRAINT uq_job_key UNIQUE ("key")
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
CREATE TABLE quantity (
	id INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	metric VARCHAR NOT NULL, 
	metric_version INTEGER NOT NULL, 
	part VARCHAR NOT NULL, 
	unit VARCHAR NOT NULL, 
	interval VARCHAR, 
	source VARCHAR, 
	items VARCHAR, comparison VARCHAR, baseline VARCHAR, better VARCHAR, 
	CONSTRAINT pk_quantity PRIMARY KEY (id), 
	CONSTRAINT uq_quantity_key UNIQUE ("key")
);
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
	beyond_trained INTEGER, citation VARCHAR, scheme VARCHAR, bits_per_weight DOUBLE, sitting VARCHAR(12), notes TEXT, counts_from VARCHAR(32), configuration_id INTEGER CONSTRAINT fk_run_configuration_id_configuration REFERENCES configuration (id), series VARCHAR(12), newest BOOLEAN DEFAULT 0 NOT NULL, recipe_options TEXT, results VARCHAR(12), executed VARCHAR, 
	CONSTRAINT pk_run PRIMARY KEY (id), 
	CONSTRAINT ck_run_seconds CHECK (seconds >= 0), 
	CONSTRAINT fk_run_environment_id_environment FOREIGN KEY(environment_id) REFERENCES environment (id), 
	CONSTRAINT fk_run_job_id_job FOREIGN KEY(job_id) REFERENCES job (id), 
	CONSTRAINT uq_run_name UNIQUE (name)
);
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
CREATE TABLE outcome (
	run_id INTEGER NOT NULL, 
	json TEXT NOT NULL, 
	CONSTRAINT pk_outcome PRIMARY KEY (run_id), 
	CONSTRAINT fk_outcome_run_id_run FOREIGN KEY(run_id) REFERENCES run (id)
);
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
CREATE INDEX ix_placement_model ON placement (model);
CREATE INDEX ix_placement_sweep ON placement (sweep);
CREATE INDEX ix_quantity_metric ON quantity (metric);
CREATE INDEX ix_run_artifact ON run (artifact);
CREATE INDEX ix_run_artifact_content ON run (artifact_content);
CREATE INDEX ix_run_environment_id ON run (environment_id);
CREATE INDEX ix_run_job_id ON run (job_id);
CREATE INDEX ix_run_status ON run (status);
CREATE INDEX ix_run_written_by ON run (written_by);
CREATE INDEX ix_measurement_quantity_id ON measurement (quantity_id);
CREATE INDEX ix_run_sitting ON run (sitting);
CREATE TABLE summary (
	sitting VARCHAR(12) NOT NULL, 
	quantity_id INTEGER NOT NULL, 
	value DOUBLE NOT NULL, 
	low DOUBLE, 
	high DOUBLE, 
	rounds INTEGER NOT NULL, 
	round_values TEXT NOT NULL, 
	marks TEXT, 
	CONSTRAINT pk_summary PRIMARY KEY (sitting, quantity_id), 
	CONSTRAINT ck_summary_ck_summary_rounds CHECK (rounds >= 1), 
	CONSTRAINT fk_summary_quantity_id_quantity FOREIGN KEY(quantity_id) REFERENCES quantity (id)
)
 WITHOUT ROWID

;
CREATE INDEX ix_run_session_counts_from ON run (session, counts_from);
CREATE TABLE configuration (
	id INTEGER NOT NULL, 
	digest VARCHAR NOT NULL, 
	job_id INTEGER NOT NULL, 
	environment VARCHAR NOT NULL, 
	quantities TEXT NOT NULL, 
	CONSTRAINT pk_configuration PRIMARY KEY (id), 
	CONSTRAINT fk_configuration_job_id_job FOREIGN KEY(job_id) REFERENCES job (id), 
	CONSTRAINT uq_configuration_digest UNIQUE (digest)
);
CREATE INDEX ix_configuration_job_id ON configuration (job_id);
CREATE INDEX ix_run_configuration_id_counts_from ON run (configuration_id, counts_from, name, session);
CREATE INDEX ix_run_configuration_id_session ON run (configuration_id, session);
CREATE INDEX ix_run_origin_counts_from ON run (origin, counts_from);
CREATE INDEX ix_run_newest ON run (series) WHERE newest;
CREATE VIEW results AS
SELECT 
    p.sweep, p.block, p.model, p.method, p.recipe, p.reference, r.recipe_options, j.kind, j.quantizer, j.probe, j.engine,
    j.engine_options, e.name AS environment, r.provider, r.dtype, e.gpu, r.gpu_count, e.driver, e.cuda, e.box AS machine, e.cpu,
    e.cores, e.system, e.python, e.harness, j.batch, j.prompt, j.output, j.depth, j.concurrency, j.request_rate, j.shots,
    j."limit", j."window", j.stride, j.tokens, j."text", j.task, j.workload, q.metric, q.metric_version, q.part AS slice,
    q.unit, q.source, q.items, q.better, q.comparison, q.baseline, m.value,
    CASE WHEN s.sitting IS NULL THEN m.low END AS low, CASE WHEN s.sitting IS NULL THEN m.high END AS high,
    CASE WHEN s.sitting IS NULL THEN q.interval END AS "interval", m.n, 
    r.status, r.reason, r.origin, r.citation, r.protocol, r.protocol_version, r.warmups, r.repetitions, r.bos,
    r.prompt_tokens, r.beyond_trained, r.scored, r.skipped, r.truncated, r.scheme, r.bits_per_weight, r.executed, r.notes, r.started,
    r.counts_from, r.seconds, r.session, r.round, r."order", r.series, r.name AS run, r.written_by, r.artifact,
    r.artifact_content, j.key AS job_key
FROM run r
JOIN job j ON j.id = r.job_id
JOIN environment e ON e.id = r.environment_id
LEFT JOIN placement p ON p.job_key = j.key AND p.environment = e.name
LEFT JOIN measurement m ON m.run_id = r.id
LEFT JOIN quantity q ON q.id = m.quantity_id
LEFT JOIN summary s ON s.sitting = r.sitting AND s.quantity_id = m.quantity_id;
CREATE VIEW latest AS
SELECT 
    p.sweep, p.block, p.model, p.method, p.recipe, p.reference, r.recipe_options, j.kind, j.quantizer, j.probe, j.engine,
    j.engine_options, e.name AS environment, r.provider, r.dtype, e.gpu, r.gpu_count, e.driver, e.cuda, e.box AS machine, e.cpu,
    e.cores, e.system, e.python, e.harness, j.batch, j.prompt, j.output, j.depth, j.concurrency, j.request_rate, j.shots,
    j."limit", j."window", j.stride, j.tokens, j."text", j.task, j.workload, q.metric, q.metric_version, q.part AS slice,
    q.unit, q.source, q.items, q.better, q.comparison, q.baseline, coalesce(s.value, m.value) AS value,
    CASE WHEN s.sitting IS NULL THEN m.low ELSE s.low END AS low,
    CASE WHEN s.sitting IS NULL THEN m.high ELSE s.high END AS high, m.n, s.rounds, s.marks, 
    r.status, r.reason, r.origin, r.citation, r.protocol, r.protocol_version, r.warmups, r.repetitions, r.bos,
    r.prompt_tokens, r.beyond_trained, r.scored, r.skipped, r.truncated, r.scheme, r.bits_per_weight, r.executed, r.notes, r.started,
    r.counts_from, r.seconds, r.session, r.round, r."order", r.series, r.name AS run, r.written_by, r.artifact,
    r.artifact_content, j.key AS job_key
FROM run r
JOIN job j ON j.id = r.job_id
JOIN environment e ON e.id = r.environment_id
LEFT JOIN placement p ON p.job_key = j.key AND p.environment = e.name
JOIN measurement m ON m.run_id = r.id
JOIN quantity q ON q.id = m.quantity_id + 0
LEFT JOIN summary s ON s.sitting = r.sitting AND s.quantity_id = m.quantity_id
WHERE r.newest;
INSERT INTO alembic_version (version_num) VALUES ('0013');
