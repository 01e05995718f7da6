const assert = require("assert");

describe("the server", () => {
	it("has a route", () => {
		const app = require("./app.js");
		assert(app._router.stack.some((layer) => layer.route && layer.route.path === "/newest/:list"));
	});
});
