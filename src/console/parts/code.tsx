/** A name of the API. Where it does not fit on a line, it is broken after `_`, `.` or `/`, never within a word. */
export function Code({ name }: { name: string }) {
  return (
    <code class="unbroken">
      {name.split(/(?<=[_./])(?=.)/).map((part, index) => (
        <>
          {index > 0 && <wbr />}
          {part}
        </>
      ))}
    </code>
  );
}
