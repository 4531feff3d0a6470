/**
 * Loads an optional driver, or says which package is missing.
 *
 * **Details**
 *
 * Drivers are optional peer dependencies: whoever runs on SQLite installs none. An error inside an installed driver is
 * passed on as it is.
 */
export const loadDriver = async <Driver>(
  name: string,
  dialect: string,
  load: () => Promise<Driver>,
): Promise<Driver> => {
  try {
    return await load()
  } catch (error) {
    if (!isMissing(error, name)) throw error
    throw new Error(`A ${dialect} database needs the package "${name}": install it beside @multistatus/store-sql`, {
      cause: error,
    })
  }
}

// A driver whose own dependency is missing fails with the same code, but names that dependency.
const isMissing = (error: unknown, name: string) =>
  error instanceof Error &&
  "code" in error &&
  error.code === "ERR_MODULE_NOT_FOUND" &&
  error.message.includes(`'${name}'`)
