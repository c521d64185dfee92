/** The pages of the navigation: the first part of their addresses, and their titles. */
export const SECTIONS = [
  ["overview", "Overview"],
  ["imports", "Imports"],
  ["files", "Files"],
  ["activities", "Activities"],
  ["users", "Users"],
  ["events", "Events"],
  ["settings", "Settings"],
  ["try", "Try it"],
  ["check", "Check my integration"],
] as const;
