import { expect, test } from "vitest";
import { afterForgedAttempt } from "../../src/deliveries/forged.ts";

test("400, 401, 403 and 422 reject a forged event; other responses do not show that the signature was verified", () => {
  const statuses = [null, 200, 204, 400, 401, 403, 404, 405, 408, 410, 422, 429, 500];
  expect(statuses.filter((status) => afterForgedAttempt(status).status === "delivered")).toEqual([
    400, 401, 403, 422,
  ]);
});
