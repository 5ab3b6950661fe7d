/** The next page is asked for while this one is taken in. */
export async function* oneAhead<T>(items: AsyncGenerator<T, void>): AsyncGenerator<T, void> {
  const next = async (): Promise<IteratorResult<T, void>> => await items.next();
  for (let coming = next(); ;) {
    const found = await coming;
    if (found.done) return;
    coming = next();
    // It is awaited later, or never where the reader has failed.
    coming.catch(() => undefined);
    yield found.value;
  }
}
