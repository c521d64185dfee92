-- The read model that partners query. Times in columns that end in _at are Unix milliseconds. The database sets updated_at
-- in the statement that writes the row. Ids begin with 8 characters of hash(partner, user), so that a user's rows lie
-- together in every clustered primary key.

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
  sequence_number       INTEGER,
  status                TEXT NOT NULL,              -- of the newest version: held, queued, imported, failed
  attempts              INTEGER NOT NULL DEFAULT 0,
  import_id             TEXT,
  error                 TEXT,                       -- JSON { code, detail, http_status, retryable }; of a queued file the last one
  next_attempt_at       INTEGER,                    -- when a queued file is tried again after its error
  version               INTEGER NOT NULL,           -- the newest version that was pinged
  revision              INTEGER NOT NULL,           -- the collector's counter; only a higher one replaces a row
  stored_version        INTEGER,                    -- the readable version: its activities are stored
  readable_name         TEXT,                       -- activity_name of the readable version
  object_key            TEXT,                       -- original bytes of the readable version
  failed_object_key     TEXT,                       -- original bytes of the newest version, if they were stored and it failed
  failed_version        INTEGER,                    -- the version of failed_object_key
  sha256                TEXT,                       -- of the readable version, else of the failed one
  size_in_bytes         INTEGER,
  edits                 TEXT,                       -- JSON { version, file_version, activity_name, activities }, also of versions to come
  warnings              TEXT NOT NULL DEFAULT '[]', -- JSON array of the readable version's warnings
  activity_count        INTEGER NOT NULL DEFAULT 0, -- sessions of the readable version
  decoder_version       INTEGER NOT NULL DEFAULT 0, -- version of the decoder that created the stored activities
  stored_bytes          INTEGER NOT NULL DEFAULT 0, -- total size of the readable and the failed version's bytes
  counted_files         INTEGER NOT NULL DEFAULT 0, -- this file's part of partner_usage (0 or 1, and bytes) before a batch
  counted_bytes         INTEGER NOT NULL DEFAULT 0, --   last wrote the row
  received_at           INTEGER NOT NULL,
  received_batch        TEXT,                       -- the file_batches row that lists it by received_at
  updated_at            INTEGER NOT NULL,
  updated_batch         TEXT,                       -- the file_batches row that lists it by updated_at
  outcome_batch         TEXT,                       -- the batch that wrote the newest outcome: imported or failed
  outcome_failed        INTEGER NOT NULL DEFAULT 0, -- whether that outcome is a failure
  outcome_live          INTEGER NOT NULL DEFAULT 0, -- whether its version is a live ride
  edited_batch          TEXT,                       -- the batch that last changed readable activities without an import
  PRIMARY KEY (partner_id, file_id)
) WITHOUT ROWID;

-- A batch lists the files of one user that one statement wrote. Lists of files walk these rows by receipt or by change,
-- because indexes on `files` would cost several written rows for each file. A batch lists a file only if the file's row
-- names the batch, so an outdated batch lists nothing. A user's batches lie together, in the order of their changes.
-- A batch of removals lists files that were deleted, or files that lost activities, for 90 days. It has ids only. Eight
-- digits follow each id: the first lost session and the one after the last.
CREATE TABLE file_batches (
  partner_id    TEXT NOT NULL,
  user_route    TEXT NOT NULL,                      -- the first 8 characters of all file ids of the user
  updated_at    INTEGER NOT NULL,
  first_file_id TEXT NOT NULL,                      -- one of file_ids
  batch_id      TEXT NOT NULL,
  received_at   INTEGER,                            -- receipt time of the files received in it; null if none were
  file_ids      TEXT NOT NULL,                      -- JSON array of ids without the collector's 20 characters
  removed       TEXT,                               -- files, activities: the batch lists removals; null otherwise
  outcomes      INTEGER NOT NULL DEFAULT 0,         -- 0: no outcomes or edits; 1: only of histories; 2: of live rides
  added_files   INTEGER NOT NULL DEFAULT 0,         -- number of new files, negative for removed ones
  added_bytes   INTEGER NOT NULL DEFAULT 0,         -- growth of the files' stored_bytes
  imported      INTEGER NOT NULL DEFAULT 0,         -- number of files with their newest outcome in it: imported
  failed        INTEGER NOT NULL DEFAULT 0,         -- or failed
  PRIMARY KEY (partner_id, user_route, updated_at, first_file_id, batch_id)
) WITHOUT ROWID;

CREATE INDEX file_batches_by_update ON file_batches (partner_id, updated_at, first_file_id, batch_id);
CREATE INDEX file_batches_by_receipt ON file_batches (partner_id, received_at, first_file_id, batch_id)
  WHERE received_at IS NOT NULL;
CREATE INDEX file_batches_of_user_by_receipt
  ON file_batches (partner_id, user_route, received_at, first_file_id, batch_id) WHERE received_at IS NOT NULL;

-- Position of the sweep that deletes outdated batches, in one row.
CREATE TABLE batch_rounds (
  only_row      INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
  partner_id    TEXT NOT NULL,                      -- partner_id to batch_id: the key of the last batch that it visited
  user_route    TEXT NOT NULL,
  updated_at    INTEGER NOT NULL,
  first_file_id TEXT NOT NULL,
  batch_id      TEXT NOT NULL,
  resumes_at    INTEGER NOT NULL                    -- start of the next round, after the last batch of a round
) WITHOUT ROWID;

-- Position of the sweep that finds inline bytes without a ping, in one row.
CREATE TABLE inline_rounds (
  only_row  INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
  after_key TEXT NOT NULL                           -- the last object key that was checked, or inline/ and the next hour
) WITHOUT ROWID;

-- Usage of each partner. Inserted batches update it, also those that list removals. A sweep publishes it to KV, where ping requests
-- compare it with the quotas.
CREATE TABLE partner_usage (
  partner_id      TEXT NOT NULL PRIMARY KEY,
  files           INTEGER NOT NULL,
  stored_bytes    INTEGER NOT NULL,
  missing_bytes   INTEGER NOT NULL DEFAULT 0,       -- number of characters in the partner's rows of import_missing
  removal_bytes   INTEGER NOT NULL DEFAULT 0,       -- size of what deletions and erasures leave for 90 days
  published_files INTEGER NOT NULL DEFAULT 0,
  published_bytes INTEGER NOT NULL DEFAULT 0,
  due_since       INTEGER,                          -- since when the published usage is outdated; null if it is current
  day             INTEGER NOT NULL DEFAULT 0,       -- the last day with batches, in days since 1970; what they added follows
  day_imported    INTEGER NOT NULL DEFAULT 0,
  day_failed      INTEGER NOT NULL DEFAULT 0,
  day_deleted     INTEGER NOT NULL DEFAULT 0,
  day_bytes       INTEGER NOT NULL DEFAULT 0        -- stored bytes that were added; removed ones are not subtracted
) WITHOUT ROWID;

CREATE INDEX partner_usage_due ON partner_usage (due_since) WHERE due_since IS NOT NULL;

-- Usage of each day: requests, deliveries, and files of days before partner_usage.day. Kept for 400 days.
CREATE TABLE usage_days (
  partner_id   TEXT NOT NULL,
  day          INTEGER NOT NULL,                    -- number of days since 1970, in UTC
  imported     INTEGER NOT NULL DEFAULT 0,          -- number of files
  failed       INTEGER NOT NULL DEFAULT 0,
  deleted      INTEGER NOT NULL DEFAULT 0,
  stored_bytes INTEGER NOT NULL DEFAULT 0,          -- bytes that were added
  status_2xx   INTEGER NOT NULL DEFAULT 0,          -- number of requests
  status_4xx   INTEGER NOT NULL DEFAULT 0,          -- without 429
  status_429   INTEGER NOT NULL DEFAULT 0,
  status_5xx   INTEGER NOT NULL DEFAULT 0,
  delivered    INTEGER NOT NULL DEFAULT 0,          -- number of attempts to deliver events
  undelivered  INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (partner_id, day)
) WITHOUT ROWID;

CREATE INDEX usage_days_by_age ON usage_days (day);

-- Writes one row for each batch that changes the usage, and two more for removals, or when the published usage differs by
-- 1 %. The first batch of a day also moves the counts of the day before to usage_days, so that a batch writes no second row.
CREATE TRIGGER count_batch AFTER INSERT ON file_batches
WHEN new.added_files <> 0 OR new.added_bytes <> 0 OR new.imported <> 0 OR new.failed <> 0
  OR new.removed IS NOT NULL
BEGIN
  INSERT INTO usage_days (partner_id, day, imported, failed, deleted, stored_bytes)
    SELECT partner_id, day, day_imported, day_failed, day_deleted, day_bytes FROM partner_usage
    WHERE partner_id = new.partner_id AND day <> new.updated_at / 86400000
      AND (day_imported <> 0 OR day_failed <> 0 OR day_deleted <> 0 OR day_bytes <> 0)
    ON CONFLICT (partner_id, day) DO UPDATE SET imported = imported + excluded.imported, failed = failed + excluded.failed,
      deleted = deleted + excluded.deleted, stored_bytes = stored_bytes + excluded.stored_bytes;
  INSERT INTO partner_usage (partner_id, files, stored_bytes, removal_bytes, day, day_imported, day_failed, day_deleted, day_bytes)
    VALUES (new.partner_id, new.added_files, new.added_bytes,
      CASE WHEN new.removed IS NULL THEN 0 ELSE 300 + length(new.file_ids) END,
      new.updated_at / 86400000, new.imported, new.failed,
      CASE WHEN new.removed = 'files' THEN -new.added_files ELSE 0 END, max(new.added_bytes, 0))
    ON CONFLICT (partner_id) DO UPDATE SET files = files + excluded.files,
      stored_bytes = stored_bytes + excluded.stored_bytes, removal_bytes = removal_bytes + excluded.removal_bytes,
      day = excluded.day,
      day_imported = CASE WHEN day = excluded.day THEN day_imported ELSE 0 END + excluded.day_imported,
      day_failed = CASE WHEN day = excluded.day THEN day_failed ELSE 0 END + excluded.day_failed,
      day_deleted = CASE WHEN day = excluded.day THEN day_deleted ELSE 0 END + excluded.day_deleted,
      day_bytes = CASE WHEN day = excluded.day THEN day_bytes ELSE 0 END + excluded.day_bytes;
  UPDATE partner_usage SET due_since = new.updated_at
    WHERE partner_id = new.partner_id AND due_since IS NULL
      AND (new.removed IS NOT NULL
        OR 100 * abs(files - published_files) >= max(published_files, 1)
        OR 100 * abs(stored_bytes - published_bytes) >= max(published_bytes, 1));
END;

-- The sizes of rows of removals, deleted_files and erased are those of the row with its index entries, rounded up.
CREATE TRIGGER uncount_removals AFTER DELETE ON file_batches
WHEN old.removed IS NOT NULL
BEGIN
  UPDATE partner_usage SET removal_bytes = removal_bytes - 300 - length(old.file_ids),
    due_since = coalesce(due_since, unixepoch() * 1000) WHERE partner_id = old.partner_id;
END;

-- What does not change with the file's version is in the file's row. Laps, lengths and devices are decoded from the
-- stored bytes on request.
CREATE TABLE activities (
  partner_id            TEXT NOT NULL,
  file_id               TEXT NOT NULL,
  session_index         INTEGER NOT NULL,
  version               INTEGER NOT NULL,           -- the file version that it was decoded from
  sport                 TEXT NOT NULL,
  start_time_in_seconds REAL,
  summary               TEXT NOT NULL,              -- the other fields by position (activities/storedSummary.pure.ts)
  created_at            INTEGER NOT NULL,
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
  status                TEXT NOT NULL,              -- running, completed, completed_with_failures, cancelled
  total                 INTEGER NOT NULL,
  imported              INTEGER NOT NULL,
  skipped               INTEGER NOT NULL,
  failed                INTEGER NOT NULL,
  after_version         INTEGER NOT NULL,           -- held versions in (after_version, through_version]
  through_version       INTEGER NOT NULL,           --   of this user and source belong to it
  revision              INTEGER NOT NULL,
  requested_at          INTEGER NOT NULL,
  completed_at          INTEGER,
  held_under_other_source TEXT,                     -- JSON array of sources when total is 0; null when unknown
  updated_at            INTEGER NOT NULL,           -- also after changes of its deliveries (trigger touch_import)
  PRIMARY KEY (partner_id, import_id)
) WITHOUT ROWID;

CREATE INDEX imports_by_request ON imports (partner_id, requested_at, import_id);
CREATE INDEX imports_by_update ON imports (partner_id, updated_at, import_id);
-- Finds the import that released a held file. Leaves out imports that released none.
CREATE INDEX imports_by_versions ON imports (partner_id, user_id, source, through_version, after_version)
  WHERE through_version > after_version;

-- The summary_ids that a task expected and that were never pinged, in slices that fit into a row. A task with
-- expected_summary_ids has at least one slice.
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
  newest_version INTEGER NOT NULL DEFAULT 0,        -- the newest version of the user's files; an erasure covers at least this
  PRIMARY KEY (partner_id, user_id)
) WITHOUT ROWID;

-- The collectors of a user: one for each source. A row is written before a collector accepts its first pings, so that an
-- erasure finds all collectors.
CREATE TABLE user_sources (
  partner_id TEXT NOT NULL,
  user_id    TEXT NOT NULL,
  source     TEXT NOT NULL,
  version    INTEGER NOT NULL,                      -- the newest version when the row was written; an erasure up to it deletes the row
  PRIMARY KEY (partner_id, user_id, source)
) WITHOUT ROWID;

-- Position of the sweep over all rows of user_sources, in one row.
CREATE TABLE source_rounds (
  only          INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
  after_partner TEXT NOT NULL,
  after_user    TEXT NOT NULL,
  after_source  TEXT NOT NULL
) WITHOUT ROWID;

-- Signed requests: events to the partner, and training-plan requests to the planner.
CREATE TABLE deliveries (
  partner_id      TEXT NOT NULL,
  delivery_id     TEXT NOT NULL,                    -- evt_ or plan_, then the import's id or a random one, then _ and a further endpoint's id
  endpoint_id     TEXT NOT NULL DEFAULT 'ep_default', -- the receiver of an event; ep_none: no endpoint wants the event
  kind            TEXT NOT NULL,                    -- event, training_plan
  type            TEXT NOT NULL,                    -- bulk_fit_import.completed, training_plan.requested, …
  user_id         TEXT,
  import_id       TEXT,
  body            TEXT NOT NULL,                    -- the exact bytes that are signed and sent; outcomes get names when sent
  status          TEXT NOT NULL,                    -- waiting, pending, held, delivered, failed, recorded
  attempts        TEXT NOT NULL DEFAULT '[]',       -- JSON [{ at, status, milliseconds, answer }]
  attempt_count   INTEGER NOT NULL DEFAULT 0,       -- number of all attempts
  attempts_before INTEGER NOT NULL DEFAULT 0,       -- number of attempts before the retry schedule last restarted
  then_deliver    TEXT,                             -- the delivery that becomes due after the first attempt of this one
  next_attempt_at INTEGER,
  claimed_until   INTEGER,                          -- end of a consumer's exclusive claim
  created_at      INTEGER NOT NULL,
  updated_at      INTEGER NOT NULL,
  PRIMARY KEY (partner_id, delivery_id)
) WITHOUT ROWID;

CREATE INDEX deliveries_due ON deliveries (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX deliveries_by_creation ON deliveries (partner_id, kind, created_at, delivery_id);
-- Events without a user's column, which expire.
CREATE INDEX expiring_events ON deliveries (created_at)
  WHERE type IN ('test.ping', 'test.forged', 'outcomes.reported', 'user.erased');
CREATE INDEX test_events_of_partner ON deliveries (partner_id, updated_at) WHERE type IN ('test.ping', 'test.forged');
CREATE INDEX deliveries_by_update ON deliveries (partner_id, kind, updated_at, delivery_id);
CREATE INDEX deliveries_held ON deliveries (created_at) WHERE status = 'held';
CREATE INDEX deliveries_held_of_endpoint ON deliveries (partner_id, endpoint_id, created_at) WHERE status = 'held';
CREATE INDEX deliveries_of_endpoint ON deliveries (partner_id, endpoint_id, created_at, delivery_id) WHERE kind = 'event';

-- Receivers of a partner's events, at most 5. A partner without rows has one, ep_default: the event_url of its settings.
CREATE TABLE endpoints (
  partner_id      TEXT NOT NULL,
  endpoint_id     TEXT NOT NULL,
  url             TEXT,                             -- null: the event_url of the partner's settings
  event_types     TEXT NOT NULL,                    -- JSON array
  include_history INTEGER NOT NULL DEFAULT 0,       -- whether files of a history count as outcomes
  on_hold_since   INTEGER,                          -- null: not on hold
  secrets         TEXT NOT NULL DEFAULT '[]',       -- JSON [{ secret_id, secret, created_at, expires_at }]; ep_default: if
                                                    --   empty, those of the partner's settings
  verified_at     INTEGER,                          -- when the receiver of url returned a challenge; null: its events are held
  failing_since   INTEGER,                          -- first failed attempt since the last successful one
  disabled_at     INTEGER,                          -- null: not disabled
  recover_since   INTEGER,                          -- events from this time on that failed or were held are sent again; advances
  outcomes_time   INTEGER,                          -- with outcomes_place: the last file_batches row that its outcomes
  outcomes_place  TEXT NOT NULL DEFAULT '',         --   include; null: it receives no outcomes
  outcomes_sequence INTEGER NOT NULL DEFAULT 0,     -- sequence of its newest outcome
  created_at      INTEGER NOT NULL,
  deleted_at      INTEGER,                          -- one deleted row stays: without rows, ep_default would be back
  PRIMARY KEY (partner_id, endpoint_id)
) WITHOUT ROWID;

CREATE INDEX endpoints_to_recover ON endpoints (recover_since) WHERE recover_since IS NOT NULL;

-- Attempts to deliver to an endpoint, by day.
CREATE TABLE endpoint_days (
  partner_id  TEXT NOT NULL,
  endpoint_id TEXT NOT NULL,
  day         INTEGER NOT NULL,                     -- number of days since 1970, in UTC
  delivered   INTEGER NOT NULL,
  failed      INTEGER NOT NULL,
  PRIMARY KEY (partner_id, endpoint_id, day)
) WITHOUT ROWID;

CREATE TRIGGER count_attempt AFTER UPDATE OF attempt_count ON deliveries
WHEN new.attempt_count > old.attempt_count AND new.kind = 'event' AND new.type NOT IN ('test.ping', 'test.forged')
BEGIN
  INSERT INTO usage_days (partner_id, day, delivered, undelivered)
    VALUES (new.partner_id, new.updated_at / 86400000, new.status = 'delivered', new.status <> 'delivered')
    ON CONFLICT (partner_id, day) DO UPDATE SET delivered = delivered + excluded.delivered,
      undelivered = undelivered + excluded.undelivered;
END;

-- An import shows the state and the attempts of its event and plan request.
CREATE TRIGGER touch_import AFTER UPDATE OF status, attempt_count ON deliveries
WHEN new.import_id IS NOT NULL AND (new.status <> old.status OR new.attempt_count <> old.attempt_count)
BEGIN
  UPDATE imports SET updated_at = new.updated_at WHERE partner_id = new.partner_id AND import_id = new.import_id;
END;

-- Requests with an Idempotency-Key, as hashes. Nothing of their content is stored.
CREATE TABLE idempotent_requests (
  partner_id   TEXT NOT NULL,
  key_hash     TEXT NOT NULL,                       -- of path, query and key
  request_hash TEXT NOT NULL,                       -- of the body and of the headers that influence the response
  claimed_at   INTEGER NOT NULL,                    -- the answer is void if a user of the request is erased after this
  answer       TEXT,                                -- text that rebuilds the response; null while the request is in progress
  expires_at   INTEGER NOT NULL,                    -- a minute after the claim, or a day after the response
  PRIMARY KEY (partner_id, key_hash)
) WITHOUT ROWID;

CREATE INDEX idempotent_requests_by_age ON idempotent_requests (expires_at);

-- Objects that no file refers to. The transaction that drops the last reference inserts the row; a sweep deletes the object.
CREATE TABLE discarded_objects (
  object_key   TEXT NOT NULL PRIMARY KEY,
  discarded_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX discarded_objects_by_age ON discarded_objects (discarded_at);

-- Jobs that an operator started. A queue carries them in limited steps; the schedule does actions (act).
CREATE TABLE operator_jobs (
  job_id        TEXT NOT NULL PRIMARY KEY,
  kind          TEXT NOT NULL,                      -- redecode, project_again, act
  parameters    TEXT NOT NULL,                      -- JSON { since, code }, or { partner_id, user_id, objects }, or { action, partner_id, id }
  after_partner TEXT NOT NULL DEFAULT '',           -- with after_file: the last file that was processed
  after_file    TEXT NOT NULL DEFAULT '',           -- project_again: its position, as JSON; act: its result
  looked_at     INTEGER NOT NULL DEFAULT 0,
  changed       INTEGER NOT NULL DEFAULT 0,
  failed        INTEGER NOT NULL DEFAULT 0,
  claimed_until INTEGER NOT NULL DEFAULT 0,
  total_files   INTEGER,                            -- all files when the job started, for an estimate
  walked_files  INTEGER NOT NULL DEFAULT 0,         -- files that the job has passed, whether they match or not
  started_at    INTEGER,
  claims        INTEGER NOT NULL DEFAULT 0,         -- number of runs since its last progress
  created_at    INTEGER NOT NULL,
  finished_at   INTEGER
) WITHOUT ROWID;

-- Files that a job could not process, and collectors that it could not read, at most 10,000 for each job.
CREATE TABLE operator_job_failures (
  job_id     TEXT NOT NULL,
  partner_id TEXT NOT NULL,
  file_id    TEXT NOT NULL,                         -- or the name of a collector
  code       TEXT NOT NULL,                         -- an error code of a file, original_missing, crashed or the name of a fault
  PRIMARY KEY (job_id, partner_id, file_id)
) WITHOUT ROWID;

-- Erased users. No version up to before_version may be stored. During the erasure, the row also contains the user's id and
-- the position of its sweep. Afterwards only the hash and the bounds remain, until 90 days after before_version.
CREATE TABLE erased (
  partner_id         TEXT NOT NULL,
  user_hash          TEXT NOT NULL,
  before_version     INTEGER NOT NULL,
  erased_files       INTEGER NOT NULL DEFAULT 0,    -- numbers of deleted rows, for the receipt
  erased_activities  INTEGER NOT NULL DEFAULT 0,
  erased_imports     INTEGER NOT NULL DEFAULT 0,
  answers_void_until INTEGER NOT NULL DEFAULT 0,    -- answers to requests claimed up to this time are void
  user_id            TEXT,
  step               TEXT,                          -- the sweep's current step: sources, files, …; null for the first
  after_id           TEXT NOT NULL DEFAULT '',      -- the last id that the step has processed
  next_sweep_at      INTEGER,
  sweeps_left        INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (partner_id, user_hash)
) WITHOUT ROWID;

-- Partners that an operator has removed from this database. A restored backup of the registry skips them.
CREATE TABLE removed_partners (
  partner_id TEXT NOT NULL PRIMARY KEY,
  removed_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX erased_due ON erased (partner_id, next_sweep_at) WHERE next_sweep_at IS NOT NULL;
CREATE INDEX erased_by_age ON erased (before_version) WHERE next_sweep_at IS NULL;

CREATE TRIGGER count_erased AFTER INSERT ON erased
BEGIN
  INSERT INTO partner_usage (partner_id, files, stored_bytes, removal_bytes, due_since)
    VALUES (new.partner_id, 0, 0, 400, unixepoch() * 1000)
    ON CONFLICT (partner_id) DO UPDATE SET removal_bytes = removal_bytes + excluded.removal_bytes,
      due_since = coalesce(due_since, excluded.due_since);
END;

CREATE TRIGGER uncount_erased AFTER DELETE ON erased
BEGIN
  UPDATE partner_usage SET removal_bytes = removal_bytes - 400, due_since = coalesce(due_since, unixepoch() * 1000)
    WHERE partner_id = old.partner_id;
END;

-- Deleted files. No version of the file up to before_version may be stored, until 90 days after before_version.
CREATE TABLE deleted_files (
  partner_id     TEXT NOT NULL,
  file_id        TEXT NOT NULL,
  before_version INTEGER NOT NULL,
  PRIMARY KEY (partner_id, file_id)
) WITHOUT ROWID;

CREATE INDEX deleted_files_by_age ON deleted_files (before_version);

CREATE TRIGGER count_deleted_file AFTER INSERT ON deleted_files
BEGIN
  INSERT INTO partner_usage (partner_id, files, stored_bytes, removal_bytes, due_since)
    VALUES (new.partner_id, 0, 0, 200, unixepoch() * 1000)
    ON CONFLICT (partner_id) DO UPDATE SET removal_bytes = removal_bytes + excluded.removal_bytes,
      due_since = coalesce(due_since, excluded.due_since);
END;

CREATE TRIGGER uncount_deleted_file AFTER DELETE ON deleted_files
BEGIN
  UPDATE partner_usage SET removal_bytes = removal_bytes - 200, due_since = coalesce(due_since, unixepoch() * 1000)
    WHERE partner_id = old.partner_id;
END;

-- The newest settings of partners. A change is stored here before it is published to KV, which requests read. A partner has
-- no row before its first change.
CREATE TABLE partner_settings (
  partner_id         TEXT NOT NULL PRIMARY KEY,
  revision           INTEGER NOT NULL,              -- of settings
  settings           TEXT NOT NULL,                 -- JSON, the value in KV: also digests of keys, and webhook secrets
  published_revision INTEGER NOT NULL DEFAULT -1,   -- revision that was last written to KV
  publishing_until   INTEGER                        -- end of a publisher's exclusive claim
) WITHOUT ROWID;

CREATE INDEX partner_settings_unpublished ON partner_settings (partner_id) WHERE published_revision <> revision;
