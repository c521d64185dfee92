import { execFile } from "node:child_process";
import { realpath } from "node:fs/promises";
import { promisify } from "node:util";
import { ROOT } from "./commandLine.ts";

const run = promisify(execFile);

/** The commit of the checkout, as a label of a version. */
export interface CommitLabel {
  /** First 12 digits of the commit. Ends with `-changed` when files differ from it. */
  tag: string;
  /** Subject of the commit. */
  message: string;
}

/** Maximum length of the message in characters. */
const MESSAGE_CHARACTERS = 100;

/** Returns the label of the checkout. Returns null for a folder that is not the root of a git repository. */
export async function readCommit(folder = ROOT): Promise<CommitLabel | null> {
  try {
    const git = async (...args: string[]) => (await run("git", args, { cwd: folder })).stdout.trim();
    if ((await realpath(await git("rev-parse", "--show-toplevel"))) !== (await realpath(folder))) return null;
    const [commit, message, changes] = await Promise.all([
      git("rev-parse", "--short=12", "HEAD"),
      git("log", "-1", "--format=%s"),
      git("status", "--porcelain"),
    ]);
    return {
      tag: changes === "" ? commit : `${commit}-changed`,
      message: message.slice(0, MESSAGE_CHARACTERS),
    };
  } catch {
    // git is missing, or the repository has no commit.
    return null;
  }
}
