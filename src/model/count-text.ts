/** `1,234,567`, the same everywhere. */
export function countText(count: number): string {
  return count.toLocaleString('en-US');
}
