/**
 * Maps an async iterable in order, with up to `limit` items in work before the reader asks for them.
 *
 * @returns the results in the items' order; an error of an item or of `map` comes in its place
 */
export async function* mapAhead<A, B>(
  items: AsyncIterable<A>,
  limit: number,
  map: (item: A) => Promise<B>,
): AsyncGenerator<B> {
  const iterator = items[Symbol.asyncIterator]();
  // An async generator queues calls of next, so all of them can be made at once.
  const pull = (): Promise<{ value: B } | undefined> => {
    const result = iterator
      .next()
      .then(async ({ done, value }) => (done ? undefined : { value: await map(value) }));
    // The loop below sees the error when it takes this result. After an earlier error it takes no more, and Node must not
    // report this one as unhandled.
    result.catch(() => {});
    return result;
  };
  const queue = Array.from({ length: limit }, pull);
  try {
    for (;;) {
      const result = await queue.shift();
      if (!result) return;
      queue.push(pull());
      yield result.value;
    }
  } finally {
    void iterator.return?.()?.catch(() => {});
  }
}
