import { Code } from "./code.tsx";

/** Shows text, with the parts in backquotes as code. */
export function Sentence({ text }: { text: string }) {
  return (
    <>{text.split("`").map((part, index) => (index % 2 === 1 ? <Code key={index} name={part} /> : part))}</>
  );
}
