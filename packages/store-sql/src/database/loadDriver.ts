/**
 * Loads an optional driver. Rejects with an error that names the package to install if it is missing.
 *
 * **Details**
 *
 * Drivers are optional peer dependencies; SQLite needs none. An error inside an installed driver is passed on unchanged.
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

// A missing dependency of the driver causes the same error code, but the message names that dependency.
const isMissing = (error: unknown, name: string) =>
  error instanceof Error &&
  "code" in error &&
  error.code === "ERR_MODULE_NOT_FOUND" &&
  error.message.includes(`'${name}'`)
