import { scenarios } from "./scenarios.ts"

scenarios("mariadb", ["express"])
