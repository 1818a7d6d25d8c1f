import { createServer } from "node:http";
import { message } from "./message.js";

const server = createServer((request, answer) => answer.end(message(request.url) + "\n"));
server.listen(3000, () => console.log("listening"));
process.on("SIGINT", () => server.close(() => process.exit(0)));
