/** A value as JSON keeps it: an optional property that is `undefined` is not there. */
export function asJson<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
