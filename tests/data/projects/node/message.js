import { readFileSync } from "node:fs";

const { name, version } = JSON.parse(readFileSync(new URL("package.json", import.meta.url)));

export const message = (path) => JSON.stringify({ name, version, path, mode: process.env.NODE_ENV });
