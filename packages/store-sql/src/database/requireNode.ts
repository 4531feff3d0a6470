/** Refuses versions of Node.js that are too old, when the package is loaded. */

/** Throws an `Error` if a version of Node.js is below 22.19. */
export const requireNode = (version: string): void => {
  const [major = 0, minor = 0] = version.split(".").map(Number)
  if (major > 22 || (major === 22 && minor >= 19)) return
  throw new Error(`Multistatus needs Node.js 22.19 or later, and this is Node.js ${version}: start a newer version`)
}

requireNode(process.versions.node)
