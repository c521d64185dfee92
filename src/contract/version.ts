/** Version of the partner API, in the OpenAPI document and in the `User-Agent` of downloads and events. */
export const API_VERSION = "1.0.0";
