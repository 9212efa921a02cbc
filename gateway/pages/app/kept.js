// What the tab keeps, read back; what can't be read any more is as good as nothing.

/** The object kept under a name; null when there is none. */
export function kept(name) {
  try {
    return JSON.parse(sessionStorage.getItem(name) ?? "null");
  } catch {
    sessionStorage.removeItem(name);
    return null;
  }
}
