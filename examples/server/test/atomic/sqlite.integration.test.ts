import { scenarios } from "./scenarios.ts"

scenarios("sqlite", ["express"])
