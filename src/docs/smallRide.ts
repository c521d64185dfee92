/** A minimal FIT file of a ride in base64: two records and a session. */
export const SMALL_RIDE =
  "DiBkCGEAAAAuRklUfspAAAAAAAIAAQABAoQABAEAQQAAFAAD/QSGAwECBQSGAQDKmjt4AAAAAAEI0Zo7jNASEwBAAAASAAb9BIYCBIYFAQAHBIYIBIYJBIYACNGaOwDKmjsCQHcbAEB3GwDQEhMArY8=";
/** Start of that ride, as a ping sends it. */
export const SMALL_RIDE_START = "1631065600";

/** A live ride, small enough to be sent in base64: the body of a newcomer's first request. */
export const FIRST_PING = {
  activity_files: [
    {
      file_type: "FIT",
      activity_name: "Morning ride",
      priority: 1,
      user_id: "rider-1",
      source: "head-unit",
      overwrite_mode: false,
      start_time_in_seconds: SMALL_RIDE_START,
      callback_url: SMALL_RIDE,
      summary_id: "first-ride",
    },
  ],
};

/** The small ride one day later: another ride of a history. */
export const NEXT_RIDE = {
  start_time_in_seconds: "1631152000",
  callback_url:
    "DiBkCGEAAAAuRklUfspAAAAAAAIAAQABAoQABAEAQQAAFAAD/QSGAwECBQSGAYAbnDt4AAAAAAGIIpw7jNASEwBAAAASAAb9BIYCBIYFAQAHBIYIBIYJBIYAiCKcO4AbnDsCQHcbAEB3GwDQEhMAarg=",
};
