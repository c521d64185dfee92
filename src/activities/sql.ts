/** SQL that joins the file `f` of an activity `a`. */
export const OF_FILE = "f.partner_id = a.partner_id AND f.file_id = a.file_id";

/** SQL for the sport of an activity `a` of a file `f`: the edited one, else the decoded one. */
export const SPORT = "coalesce(f.edits ->> ('$.activities.' || a.session_index || '.sport'), a.sport)";

const FIRST_LINE_END = "instr(a.summary, char(10))";
/** SQL for the first two lines of an activity's summary: all of it except its lists of names, which can be long. */
export const SUMMARY_VALUES = `substr(a.summary, 1,
  ${FIRST_LINE_END} + instr(substr(a.summary, ${FIRST_LINE_END} + 1), char(10)))`;

/** SQL for the columns of an activity `a` of a file `f`. */
export const ACTIVITY_COLUMNS = `a.file_id, a.session_index, a.version, f.user_id, f.source, f.summary_id,
  f.readable_name AS activity_name, ${SPORT} AS sport, a.start_time_in_seconds, a.summary, a.created_at, f.updated_at,
  f.edits`;

const afterLine = (text: string) => `substr(${text}, instr(${text}, char(10)) + 1)`;
const AFTER_TWO_LINES = `substr(a.summary, length(${SUMMARY_VALUES}) + 1)`;
/** Longer summaries are read without their lists of names. */
const SHORT_SUMMARY = 2_000;
/** SQL for an activity's summary without its lists of names, if these are long. */
export const SHORT_SUMMARY_VALUES = `CASE WHEN length(a.summary) <= ${SHORT_SUMMARY} THEN a.summary ELSE
  ${SUMMARY_VALUES} || char(10, 10) || CASE WHEN instr(${afterLine(AFTER_TWO_LINES)}, char(10)) > 0
    THEN ${afterLine(afterLine(AFTER_TWO_LINES))} ELSE '' END END`;

/** SQL for the columns of a recording: an activity `a` of a file `f`, without its summary. */
export const RECORDING_COLUMNS = `a.file_id, a.session_index, f.source, ${SPORT} AS sport, a.start_time_in_seconds, f.sha256,
  f.edits`;
