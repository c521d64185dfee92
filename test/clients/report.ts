/** What a client program needs to know, as JSON in the environment variable `CLIENT`. */
export interface ClientSettings {
  url: string;
  partnerId: string;
  authKey: string;
  /** A ride in base64, and the URL of another. */
  ride: string;
  rideUrl: string;
  rideStart: string;
}

/** What a client program prints. */
export interface Report {
  pings: string[];
  task: string;
  files: string[];
  problem: string;
}
