/** A minimal FIT file of a ride in base64: two records and a session. */
export const SMALL_RIDE =
  "DiBkCGEAAAAuRklUfspAAAAAAAIAAQABAoQABAEAQQAAFAAD/QSGAwECBQSGAQDKmjt4AAAAAAEI0Zo7jNASEwBAAAASAAb9BIYCBIYFAQAHBIYIBIYJBIYACNGaOwDKmjsCQHcbAEB3GwDQEhMArY8=";
/** Start of that ride, as a ping sends it. */
export const SMALL_RIDE_START = "1631065600";
