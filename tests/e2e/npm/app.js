// Answers one request to itself, so that all of the server has worked, and ends.
const express = require("express");
const http = require("http");
const semver = require("semver");

const app = express();
app.get("/newest/:list", (request, response) => {
	response.json({ newest: semver.maxSatisfying(request.params.list.split(","), "^1.2") });
});

if (require.main === module) {
	const server = app.listen(0, "127.0.0.1", () => {
		const { port } = server.address();
		http.get(`http://127.0.0.1:${port}/newest/1.1.9,1.2.4,1.10.0,2.0.0`, (response) => {
			response.pipe(process.stdout);
			response.on("end", () => server.close());
		});
	});
}

module.exports = app;
