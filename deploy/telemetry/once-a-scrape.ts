// What several metrics of one scrape ask for. They all ask in the same moment, and share one answer.

export function onceAScrape<T>(ask: () => Promise<T>): () => Promise<T> {
  let asked: Promise<T> | undefined;
  return () => {
    asked ??= ask().finally(() => {
      asked = undefined;
    });
    return asked;
  };
}
