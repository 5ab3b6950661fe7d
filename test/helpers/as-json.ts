/** Returns a value as JSON keeps it: JSON drops an optional property that is `undefined`. */
export function asJson<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
