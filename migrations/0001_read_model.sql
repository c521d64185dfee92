-- The read model that partners query. Times ending in _at are Unix milliseconds; updated_at is set by the
-- database in the statement that writes. Identifiers begin with 8 characters of hash(partner, user), so that
-- a user's rows lie together in every clustered primary key.

CREATE TABLE files (
  partner_id            TEXT NOT NULL,
  file_id               TEXT NOT NULL,
  user_id               TEXT NOT NULL,
  source                TEXT NOT NULL,
  summary_id            TEXT NOT NULL,
  activity_name         TEXT,
  priority              INTEGER NOT NULL,
  overwrite_mode        INTEGER NOT NULL,
  start_time_in_seconds TEXT NOT NULL,
  status                TEXT NOT NULL,              -- held, queued, imported, failed: of the newest version
  attempts              INTEGER NOT NULL DEFAULT 0,
  import_id             TEXT,
  error                 TEXT,                       -- JSON { code, detail, http_status, retryable }
  version               INTEGER NOT NULL,           -- the newest version that was pinged
  revision              INTEGER NOT NULL,           -- given by the collector; only a higher one replaces a row
  stored_version        INTEGER,                    -- the version whose activities are readable
  object_key            TEXT,                       -- where the readable version's original bytes lie
  failed_object_key     TEXT,                       -- where the newest version's lie, if it was stored and failed
  failed_version        INTEGER,                    -- the version that failed_object_key is of
  sha256                TEXT,                       -- of the readable version, else of the failed one
  size_in_bytes         INTEGER,
  warnings              TEXT NOT NULL DEFAULT '[]', -- JSON array, of the readable version
  activity_count        INTEGER NOT NULL DEFAULT 0, -- sessions of the readable version
  decoder_version       INTEGER NOT NULL DEFAULT 0, -- of the decoder that made the readable version's activities
  stored_bytes          INTEGER NOT NULL DEFAULT 0, -- of the readable version and of the failed one
  counted_files         INTEGER NOT NULL DEFAULT 0, -- what partner_usage had counted of this file before its row
  counted_bytes         INTEGER NOT NULL DEFAULT 0, --   was last written under a batch: 0 or 1, and bytes
  received_at           INTEGER NOT NULL,
  received_batch        TEXT,                       -- the file_batches row that lists it by received_at
  updated_at            INTEGER NOT NULL,
  updated_batch         TEXT,                       -- the one that lists it by updated_at
  PRIMARY KEY (partner_id, file_id)
) WITHOUT ROWID;

-- Which of a user's files one statement was about: lists of files walk these rows, newest first or by change, where
-- indexes over the files would cost several written rows a file. A file counts only in the batches that its own row
-- names, so a batch that is out of date lists nothing. A user's batches lie together, in the order of their changes.
CREATE TABLE file_batches (
  partner_id    TEXT NOT NULL,
  user_route    TEXT NOT NULL,                      -- the characters that begin the ids of all the user's files
  updated_at    INTEGER NOT NULL,
  first_file_id TEXT NOT NULL,                      -- one of file_ids
  batch_id      TEXT NOT NULL,
  received_at   INTEGER,                            -- of files that were received with it; null: none was
  file_ids      TEXT NOT NULL,                      -- JSON array
  added_files   INTEGER NOT NULL DEFAULT 0,         -- how many of them are new
  added_bytes   INTEGER NOT NULL DEFAULT 0,         -- by how much their stored_bytes have grown
  PRIMARY KEY (partner_id, user_route, updated_at, first_file_id, batch_id)
) WITHOUT ROWID;

CREATE INDEX file_batches_by_update ON file_batches (partner_id, updated_at, first_file_id, batch_id);
CREATE INDEX file_batches_by_receipt ON file_batches (partner_id, received_at, first_file_id, batch_id)
  WHERE received_at IS NOT NULL;
CREATE INDEX file_batches_of_user_by_receipt
  ON file_batches (partner_id, user_route, received_at, first_file_id, batch_id) WHERE received_at IS NOT NULL;

-- Where the round that deletes batches which are out of date continues, in one row.
CREATE TABLE batch_rounds (
  only_row      INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
  partner_id    TEXT NOT NULL,                      -- the key of the last batch that it has seen
  user_route    TEXT NOT NULL,
  updated_at    INTEGER NOT NULL,
  first_file_id TEXT NOT NULL,
  batch_id      TEXT NOT NULL,
  resumes_at    INTEGER NOT NULL                    -- after its last batch it rests
) WITHOUT ROWID;

-- What is kept of each partner. The batches count it, an erasure counts its ranges before and after; the clock publishes
-- it to KV, where pings are judged by it.
CREATE TABLE partner_usage (
  partner_id      TEXT NOT NULL PRIMARY KEY,
  files           INTEGER NOT NULL,
  stored_bytes    INTEGER NOT NULL,
  missing_bytes   INTEGER NOT NULL DEFAULT 0,       -- characters of the partner's rows of import_missing
  published_files INTEGER NOT NULL DEFAULT 0,
  published_bytes INTEGER NOT NULL DEFAULT 0,
  due_since       INTEGER                           -- since when what was published is outdated; null: it is not
) WITHOUT ROWID;

CREATE INDEX partner_usage_due ON partner_usage (due_since) WHERE due_since IS NOT NULL;

-- One row is written for each batch that changes the count. Two more when what was published differs by 1 %.
CREATE TRIGGER count_batch AFTER INSERT ON file_batches
WHEN new.added_files <> 0 OR new.added_bytes <> 0
BEGIN
  INSERT INTO partner_usage (partner_id, files, stored_bytes) VALUES (new.partner_id, new.added_files, new.added_bytes)
    ON CONFLICT (partner_id) DO UPDATE SET files = files + excluded.files,
      stored_bytes = stored_bytes + excluded.stored_bytes;
  UPDATE partner_usage SET due_since = new.updated_at
    WHERE partner_id = new.partner_id AND due_since IS NULL
      AND (100 * abs(files - published_files) >= max(published_files, 1)
        OR 100 * abs(stored_bytes - published_bytes) >= max(published_bytes, 1));
END;

CREATE TABLE activities (
  partner_id            TEXT NOT NULL,
  file_id               TEXT NOT NULL,
  session_index         INTEGER NOT NULL,
  version               INTEGER NOT NULL,           -- of the file that it came from
  user_id               TEXT NOT NULL,
  source                TEXT NOT NULL,
  summary_id            TEXT NOT NULL,
  activity_name         TEXT,
  sport                 TEXT NOT NULL,
  start_time_in_seconds REAL,
  summary               TEXT NOT NULL,              -- JSON: the activity's own quantities
  details               TEXT NOT NULL,              -- JSON { laps, lengths, devices }
  created_at            INTEGER NOT NULL,
  updated_at            INTEGER NOT NULL,           -- when the file's row was written with it
  updated_batch         TEXT,                       -- the file_batches row that lists its file by updated_at
  PRIMARY KEY (partner_id, file_id, session_index)
) WITHOUT ROWID;

CREATE INDEX activities_by_start ON activities (partner_id, start_time_in_seconds, file_id, session_index);

CREATE TABLE imports (
  partner_id            TEXT NOT NULL,
  import_id             TEXT NOT NULL,
  user_id               TEXT NOT NULL,
  source                TEXT NOT NULL,
  is_initial_import     INTEGER NOT NULL,
  event_id              TEXT,
  status                TEXT NOT NULL,              -- running, completed, completed_with_failures
  total                 INTEGER NOT NULL,
  imported              INTEGER NOT NULL,
  skipped               INTEGER NOT NULL,
  failed                INTEGER NOT NULL,
  after_version         INTEGER NOT NULL,           -- held versions in (after_version, through_version]
  through_version       INTEGER NOT NULL,           --   of this user and source belong to it
  revision              INTEGER NOT NULL,
  requested_at          INTEGER NOT NULL,
  completed_at          INTEGER,
  PRIMARY KEY (partner_id, import_id)
) WITHOUT ROWID;

CREATE INDEX imports_by_request ON imports (partner_id, requested_at, import_id);
-- Which import has taken a held file; those that took none are left out.
CREATE INDEX imports_by_versions ON imports (partner_id, user_id, source, through_version, after_version)
  WHERE through_version > after_version;

-- What a task expected and never came, in slices that fit a row; at least one slice when it said what to expect.
CREATE TABLE import_missing (
  partner_id  TEXT NOT NULL,
  import_id   TEXT NOT NULL,
  slice       INTEGER NOT NULL,
  summary_ids TEXT NOT NULL,                        -- JSON array
  created_at  INTEGER NOT NULL,
  PRIMARY KEY (partner_id, import_id, slice)
) WITHOUT ROWID;

CREATE INDEX import_missing_by_age ON import_missing (created_at);

CREATE TRIGGER count_missing AFTER INSERT ON import_missing
BEGIN
  INSERT INTO partner_usage (partner_id, files, stored_bytes, missing_bytes)
    VALUES (new.partner_id, 0, 0, length(new.summary_ids))
    ON CONFLICT (partner_id) DO UPDATE SET missing_bytes = missing_bytes + excluded.missing_bytes;
END;

CREATE TRIGGER uncount_missing AFTER DELETE ON import_missing
BEGIN
  UPDATE partner_usage SET missing_bytes = missing_bytes - length(old.summary_ids) WHERE partner_id = old.partner_id;
END;

CREATE TABLE users (
  partner_id     TEXT NOT NULL,
  user_id        TEXT NOT NULL,
  last_ping_at   INTEGER NOT NULL,
  created_at     INTEGER NOT NULL,
  newest_version INTEGER NOT NULL DEFAULT 0,        -- of the user's files: an erasure reaches at least as far
  PRIMARY KEY (partner_id, user_id)
) WITHOUT ROWID;

-- Which collectors a user has: one for each source. Written at the first contact, so that an erasure finds them all.
CREATE TABLE user_sources (
  partner_id TEXT NOT NULL,
  user_id    TEXT NOT NULL,
  source     TEXT NOT NULL,
  version    INTEGER NOT NULL,                      -- the newest at the last first contact; an erasure up to it removes the row
  PRIMARY KEY (partner_id, user_id, source)
) WITHOUT ROWID;

-- Where the round over all rows of user_sources continues, in one row.
CREATE TABLE source_rounds (
  only          INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
  after_partner TEXT NOT NULL,
  after_user    TEXT NOT NULL,
  after_source  TEXT NOT NULL
) WITHOUT ROWID;

-- Signed requests to others: the partner's events, and training plans asked of the planner.
CREATE TABLE deliveries (
  partner_id      TEXT NOT NULL,
  delivery_id     TEXT NOT NULL,                    -- evt_… or plan_…, then the import's id
  kind            TEXT NOT NULL,                    -- event, training_plan
  type            TEXT NOT NULL,                    -- bulk_fit_import.completed, training_plan.requested, …
  user_id         TEXT,
  import_id       TEXT,
  body            TEXT NOT NULL,                    -- the exact bytes that are signed and sent
  status          TEXT NOT NULL,                    -- waiting, pending, delivered, failed, recorded
  attempts        TEXT NOT NULL DEFAULT '[]',       -- JSON [{ at, status, milliseconds, answer }]
  attempt_count   INTEGER NOT NULL DEFAULT 0,       -- all that were ever made
  attempts_before INTEGER NOT NULL DEFAULT 0,       -- of these, made before the schedule was last started afresh
  then_deliver    TEXT,                             -- the delivery that may leave once this one was tried
  next_attempt_at INTEGER,
  claimed_until   INTEGER,                          -- one consumer at a time
  created_at      INTEGER NOT NULL,
  updated_at      INTEGER NOT NULL,
  PRIMARY KEY (partner_id, delivery_id)
) WITHOUT ROWID;

CREATE INDEX deliveries_due ON deliveries (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX deliveries_by_creation ON deliveries (partner_id, kind, created_at, delivery_id);
CREATE INDEX test_events_by_creation ON deliveries (created_at) WHERE type IN ('test.ping', 'test.forged');
CREATE INDEX test_events_of_partner ON deliveries (partner_id, created_at) WHERE type IN ('test.ping', 'test.forged');
CREATE INDEX deliveries_by_update ON deliveries (partner_id, kind, updated_at, delivery_id);

-- Requests that came with an Idempotency-Key, as hashes. Nothing of what they said stays.
CREATE TABLE idempotent_requests (
  partner_id   TEXT NOT NULL,
  key_hash     TEXT NOT NULL,                       -- of path, query and key
  request_hash TEXT NOT NULL,                       -- of the body and what else decides its answer
  claimed_at   INTEGER NOT NULL,                    -- the answer is void if a user of the request is erased after this
  answer       TEXT,                                -- rebuilds the answer of a repeated request; null: in flight
  expires_at   INTEGER NOT NULL,                    -- in flight: after a minute; answered: after a day
  PRIMARY KEY (partner_id, key_hash)
) WITHOUT ROWID;

CREATE INDEX idempotent_requests_by_age ON idempotent_requests (expires_at);

-- Objects that no file names any more, noted in the transaction that made it so; deleted a little later.
CREATE TABLE discarded_objects (
  object_key   TEXT NOT NULL PRIMARY KEY,
  discarded_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX discarded_objects_by_age ON discarded_objects (discarded_at);

-- Long work that an operator asked for, done in bounded steps by the clock.
CREATE TABLE operator_jobs (
  job_id        TEXT NOT NULL PRIMARY KEY,
  kind          TEXT NOT NULL,                      -- redecode
  parameters    TEXT NOT NULL,                      -- JSON { since, code }
  after_partner TEXT NOT NULL DEFAULT '',           -- the last file that was looked at
  after_file    TEXT NOT NULL DEFAULT '',
  looked_at     INTEGER NOT NULL DEFAULT 0,
  changed       INTEGER NOT NULL DEFAULT 0,
  failed        INTEGER NOT NULL DEFAULT 0,
  claimed_until INTEGER NOT NULL DEFAULT 0,
  claims        INTEGER NOT NULL DEFAULT 0,         -- runs that have taken it since it last got on
  created_at    INTEGER NOT NULL,
  finished_at   INTEGER
) WITHOUT ROWID;

-- Erased users: no version up to the bound may be stored. While the erasure is under way the row also holds the user's
-- id and how far its sweep has come; afterwards only the hash and the bounds stay, until 90 days after the bound.
CREATE TABLE erased (
  partner_id         TEXT NOT NULL,
  user_hash          TEXT NOT NULL,
  before_version     INTEGER NOT NULL,
  answers_void_until INTEGER NOT NULL DEFAULT 0,    -- idempotent requests claimed by then are carried out again
  user_id            TEXT,
  step               TEXT,                          -- sources, files, …: where the sweep continues; null: at the first
  after_id           TEXT NOT NULL DEFAULT '',      -- the last id that the step has handled
  next_sweep_at      INTEGER,
  sweeps_left        INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (partner_id, user_hash)
) WITHOUT ROWID;

CREATE INDEX erased_due ON erased (partner_id, next_sweep_at) WHERE next_sweep_at IS NOT NULL;
CREATE INDEX erased_by_age ON erased (before_version) WHERE next_sweep_at IS NULL;
