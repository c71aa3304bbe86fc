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
	spec TEXT NOT NULL, depth DOUBLE, concurrency DOUBLE, request_rate DOUBLE, workload TEXT, 
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
	beyond_trained INTEGER, citation VARCHAR, series_id INTEGER CONSTRAINT fk_run_series_id_series REFERENCES series (id), scheme VARCHAR, bits_per_weight DOUBLE, sitting VARCHAR(12), notes TEXT, counts_from VARCHAR(32), 
	CONSTRAINT pk_run PRIMARY KEY (id), 
	CONSTRAINT ck_run_seconds CHECK (seconds >= 0), 
	CONSTRAINT fk_run_environment_id_environment FOREIGN KEY(environment_id) REFERENCES environment (id), 
	CONSTRAINT fk_run_job_id_job FOREIGN KEY(job_id) REFERENCES job (id), 
	CONSTRAINT uq_run_name UNIQUE (name)
);
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
CREATE TABLE run_input (
	run_id INTEGER NOT NULL, 
	ordinal INTEGER NOT NULL, 
	role VARCHAR NOT NULL, 
	artifact VARCHAR NOT NULL, 
	content VARCHAR, 
	CONSTRAINT pk_run_input PRIMARY KEY (run_id, ordinal), 
	CONSTRAINT fk_run_input_run_id_run FOREIGN KEY(run_id) REFERENCES run (id)
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
CREATE INDEX ix_environment_box ON environment (box);
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
CREATE INDEX ix_run_input_artifact ON run_input (artifact);
CREATE INDEX ix_run_input_content ON run_input (content);
CREATE INDEX ix_quantity_comparison ON quantity (comparison);
CREATE INDEX ix_quantity_baseline ON quantity (baseline);
CREATE INDEX ix_run_citation ON run (citation);
CREATE INDEX ix_environment_cores ON environment (cores);
CREATE TABLE shape (
	id INTEGER NOT NULL, 
	digest VARCHAR NOT NULL, 
	CONSTRAINT pk_shape PRIMARY KEY (id), 
	CONSTRAINT uq_shape_digest UNIQUE (digest)
);
CREATE TABLE shape_quantity (
	shape_id INTEGER NOT NULL, 
	ordinal INTEGER NOT NULL, 
	quantity_id INTEGER NOT NULL, 
	CONSTRAINT pk_shape_quantity PRIMARY KEY (shape_id, ordinal), 
	CONSTRAINT fk_shape_quantity_shape_id_shape FOREIGN KEY(shape_id) REFERENCES shape (id), 
	CONSTRAINT fk_shape_quantity_quantity_id_quantity FOREIGN KEY(quantity_id) REFERENCES quantity (id)
)
 WITHOUT ROWID

;
CREATE INDEX ix_shape_quantity_quantity_id ON shape_quantity (quantity_id);
CREATE TABLE series (
	id INTEGER NOT NULL, 
	digest VARCHAR NOT NULL, 
	job_id INTEGER NOT NULL, 
	environment VARCHAR NOT NULL, 
	shape_id INTEGER NOT NULL, 
	CONSTRAINT pk_series PRIMARY KEY (id), 
	CONSTRAINT fk_series_job_id_job FOREIGN KEY(job_id) REFERENCES job (id), 
	CONSTRAINT fk_series_shape_id_shape FOREIGN KEY(shape_id) REFERENCES shape (id), 
	CONSTRAINT uq_series_digest UNIQUE (digest)
);
CREATE INDEX ix_series_job_id ON series (job_id);
CREATE INDEX ix_series_shape_id ON series (shape_id);
CREATE INDEX ix_run_series_id_session ON run (series_id, session);
CREATE INDEX ix_job_depth ON job (depth);
CREATE INDEX ix_job_concurrency ON job (concurrency);
CREATE INDEX ix_job_request_rate ON job (request_rate);
CREATE INDEX ix_run_scheme ON run (scheme);
CREATE INDEX ix_run_bits_per_weight ON run (bits_per_weight);
CREATE INDEX ix_quantity_better ON quantity (better);
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
CREATE INDEX ix_run_counts_from ON run (counts_from);
CREATE INDEX ix_run_series_id_counts_from ON run (series_id, counts_from, name, session);
CREATE INDEX ix_run_session_counts_from ON run (session, counts_from);
CREATE INDEX ix_job_workload ON job (workload);
CREATE VIEW results AS
SELECT 
    p.sweep, p.block, p.model, p.method, p.recipe, p.reference, j.kind, j.quantizer, j.probe, j.engine, j.engine_options, j.workload,
    e.name AS environment, e.gpu, e.box AS machine, e.cpu,
    CAST(j.batch AS INTEGER) AS batch, CAST(j.prompt AS INTEGER) AS prompt, CAST(j.output AS INTEGER) AS output, CAST(j.shots AS INTEGER) AS shots, CAST(j."limit" AS INTEGER) AS "limit", CAST(j.window AS INTEGER) AS window, CAST(j.stride AS INTEGER) AS stride, CAST(j.tokens AS INTEGER) AS tokens, CAST(j.depth AS INTEGER) AS depth, CAST(j.concurrency AS INTEGER) AS concurrency, j.request_rate, j.text, j.task,
    q.metric, q.metric_version, q.part AS slice, q.unit, m.value, m.low, m.high, m.n, 
    r.status, r.reason, r.origin, r.protocol, r.protocol_version, r.scheme, r.bits_per_weight, r.notes, r.started, r.session,
    r.round, r.name AS run, r.artifact
FROM run r
JOIN job j ON j.id = r.job_id
JOIN environment e ON e.id = r.environment_id
LEFT JOIN placement p ON p.job_key = j.key AND p.environment = e.name
LEFT JOIN measurement m ON m.run_id = r.id
LEFT JOIN quantity q ON q.id = m.quantity_id;
CREATE VIEW latest AS
SELECT 
    p.sweep, p.block, p.model, p.method, p.recipe, p.reference, j.kind, j.quantizer, j.probe, j.engine, j.engine_options, j.workload,
    e.name AS environment, e.gpu, e.box AS machine, e.cpu,
    CAST(j.batch AS INTEGER) AS batch, CAST(j.prompt AS INTEGER) AS prompt, CAST(j.output AS INTEGER) AS output, CAST(j.shots AS INTEGER) AS shots, CAST(j."limit" AS INTEGER) AS "limit", CAST(j.window AS INTEGER) AS window, CAST(j.stride AS INTEGER) AS stride, CAST(j.tokens AS INTEGER) AS tokens, CAST(j.depth AS INTEGER) AS depth, CAST(j.concurrency AS INTEGER) AS concurrency, j.request_rate, j.text, j.task,
    q.metric, q.metric_version, q.part AS slice, q.unit,
    coalesce(s.value, m.value) AS value,
    CASE WHEN s.sitting IS NULL THEN m.low ELSE s.low END AS low,
    CASE WHEN s.sitting IS NULL THEN m.high ELSE s.high END AS high,
    s.rounds, 
    r.status, r.reason, r.origin, r.protocol, r.protocol_version, r.scheme, r.bits_per_weight, r.notes, r.started, r.session,
    r.round, r.name AS run, r.artifact
FROM (
    SELECT t.id, row_number() OVER (
        PARTITION BY t.job_id, t.origin, w.name, w.gpu, w.box ORDER BY t.counts_from DESC, t.name DESC
    ) AS age
    FROM run t JOIN environment w ON w.id = t.environment_id WHERE t.status = 'ok'
) newest
JOIN run r ON r.id = newest.id
JOIN job j ON j.id = r.job_id
JOIN environment e ON e.id = r.environment_id
LEFT JOIN placement p ON p.job_key = j.key AND p.environment = e.name
JOIN measurement m ON m.run_id = r.id
JOIN quantity q ON q.id = m.quantity_id
LEFT JOIN summary s ON s.sitting = r.sitting AND s.quantity_id = m.quantity_id
WHERE newest.age = 1;
INSERT INTO alembic_version (version_num) VALUES ('0010');
