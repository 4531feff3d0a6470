import type { Pool } from "undici"

/** Sends a JSON body, reads the response, and throws unless it has the expected status. */
export const post = async (
  client: Pool,
  path: string,
  body: string,
  expected: number,
  headers: Record<string, string> = {},
): Promise<string> => {
  const all = { "content-type": "application/json", ...headers }
  const response = await client.request({ method: "POST", path, body, headers: all })
  const text = await response.body.text()
  if (response.statusCode !== expected) {
    throw new Error(`${path} answered ${response.statusCode}: ${text.slice(0, 500)}`)
  }
  return text
}
