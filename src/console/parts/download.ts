/** Offers a text to the person as a file. */
export function download(name: string, type: string, text: string): void {
  downloadBytes(name, new Blob([text], { type }));
}

/** Offers bytes to the person as a file. */
export function downloadBytes(name: string, bytes: Blob): void {
  const address = URL.createObjectURL(bytes);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}
