/** The name of the console, with its mark: a track with a gap. `icon.mjs` draws the same one. */
export function Brand() {
  return (
    <div class="brand">
      <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
        <path d="M22.5 5.7a12 12 0 1 0 5 7.4" />
        <circle cx="25.5" cy="8" r="3" />
      </svg>
      Partner console
    </div>
  );
}
