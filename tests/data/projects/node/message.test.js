import assert from "node:assert";
import test from "node:test";
import { message } from "./message.js";

test("the path is told", () => assert.equal(JSON.parse(message("/a")).path, "/a"));
