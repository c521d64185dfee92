/** A sentence of the documentation: what stands in backquotes is code. */
export function Sentence({ of }: { of: string }) {
  return (
    <>{of.split("`").map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part))}</>
  );
}
