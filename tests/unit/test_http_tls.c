/* tests/unit/test_http_tls.c - whose certificate is believed, for which request, and who is told. */

#include "tests/unit/unit.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/stream.h"
#include "registry/certs.h"
#include "registry/config_paths.h"
#include "registry/http.h"
#include "tests/unit/child.h"
#include "tests/unit/http_server.h"
#include "tests/unit/tmp.h"

/* ---- certificates ---- */

struct identity {
	EVP_PKEY *key;
	X509 *cert;
};

/* A certificate for `name`, of `by` or of itself; valid from now to `seconds` from now. */
static struct identity identity_new(const char *name, const char *alternative, long seconds,
				    const struct identity *by)
{
	struct identity identity = { EVP_EC_gen("P-256"), X509_new() };
	X509_NAME *subject = X509_get_subject_name(identity.cert);
	X509_EXTENSION *extension;

	X509_set_version(identity.cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(identity.cert), seconds);
	X509_gmtime_adj(X509_getm_notBefore(identity.cert), -86400);
	X509_gmtime_adj(X509_getm_notAfter(identity.cert), seconds);
	X509_set_pubkey(identity.cert, identity.key);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1,
				   0);
	X509_set_issuer_name(identity.cert, by ? X509_get_subject_name(by->cert) : subject);
	extension = alternative ?
			    X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, alternative) :
			    X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "CA:TRUE");
	X509_add_ext(identity.cert, extension, -1);
	X509_EXTENSION_free(extension);
	X509_sign(identity.cert, by ? by->key : identity.key, EVP_sha256());
	return identity;
}

static void identity_release(struct identity *identity)
{
	EVP_PKEY_free(identity->key);
	X509_free(identity->cert);
}

/* The certificate, or the key, in a file of memory; the path is owned by the caller. */
static char *pem_file(const struct identity *identity, bool is_key)
{
	int fd = memfd_create("pem", 0);
	FILE *file = fdopen(dup(fd), "w");

	if (is_key)
		PEM_write_PrivateKey(file, identity->key, NULL, NULL, 0, NULL, NULL);
	else
		PEM_write_X509(file, identity->cert);
	fclose(file);
	return xasprintf("/proc/self/fd/%d", fd);
}

/* ---- the scene ---- */

struct scene {
	struct identity authority, server_identity, client;
	struct certs certs; /* trusts the authority, and has the client's certificate */
	struct server server;
	struct transport transport;
	enum http_trouble trouble;
};

static char *environment[8];
static const char *machine_root = "/nonexistent";

/* Says whether the connection has shown a certificate of the client. */
static void serve(struct connection *c)
{
	while (connection_request(c)) {
		X509 *shown = c->tls ? SSL_get1_peer_certificate(c->tls) : NULL;

		connection_say(c, shown ? "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n+" :
					  "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n-");
		X509_free(shown);
	}
}

static int believe(int ok, X509_STORE_CTX *context)
{
	(void)ok, (void)context;
	return 1;
}

static void scene_init(struct scene *scene, const char *alternative, long seconds)
{
	static struct config_paths paths = { .environment = environment };
	const struct http_opts opts = { .stall_timeout = 3000, .paths = &paths };

	paths.root = machine_root;
	memset(scene, 0, sizeof(*scene));
	scene->authority = identity_new("Test Authority", NULL, 86400, NULL);
	scene->server_identity = identity_new("server", alternative, seconds, &scene->authority);
	scene->client = identity_new("client", "DNS:client", 86400, &scene->authority);
	{
		AUTO(mem) char *ca = pem_file(&scene->authority, false);

		strings_push(&scene->certs.ca_files, ca);
	}
	scene->server.tls = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate(scene->server.tls, scene->server_identity.cert);
	SSL_CTX_use_PrivateKey(scene->server.tls, scene->server_identity.key);
	SSL_CTX_set_verify(scene->server.tls, SSL_VERIFY_PEER, believe);
	server_start(&scene->server, serve);
	scene->transport = http_transport_new(&opts);
}

static void scene_release(struct scene *scene)
{
	transport_free(&scene->transport);
	server_stop(&scene->server);
	certs_release(&scene->certs);
	identity_release(&scene->authority);
	identity_release(&scene->server_identity);
	identity_release(&scene->client);
}

/* What the server said: '+' or '-', or 0 with `*ret_err` the caller's. */
static char ask(struct scene *scene, const char *host, const struct certs *certs, bool skip_verify,
		struct err **ret_err)
{
	AUTO(mem) char *url = xasprintf("https://%s:%u/v2/", host, scene->server.port);
	const struct http_request request = { .url = url,
					      .certs = certs,
					      .skip_verify = skip_verify };
	AUTO(http_response) struct http_response *response = NULL;
	char byte = 0;

	*ret_err = scene->transport.ops->send(scene->transport.self, &request, &response,
					      &scene->trouble);
	if (!*ret_err)
		*ret_err = source_read_full(response->body, &byte, 1);
	return byte;
}

static void assert_refused(struct scene *scene, const char *host, const struct certs *certs,
			   const char *text)
{
	struct err *err = NULL;

	assert_int_equal(ask(scene, host, certs, false, &err), 0);
	assert_int_equal(err_kind(err), ERR_NETWORK);
	if (scene->trouble != HTTP_NO_TLS || !strstr(err_text(err), text))
		fail_msg("'%s' does not say '%s'", err_text(err), text);
	err_free(err);
}

static void assert_served(struct scene *scene, const char *host, const struct certs *certs,
			  bool skip_verify, char want)
{
	struct err *err = NULL;
	char got = ask(scene, host, certs, skip_verify, &err);

	if (err)
		fail_msg("%s", err_text(err));
	assert_int_equal(got, want);
}

TEST(trust_is_for_the_request_that_brings_it)
{
	struct scene scene;
	struct err *err = NULL;

	scene_init(&scene, "IP:127.0.0.1", 86400);
	assert_refused(&scene, "127.0.0.1", NULL, "the certificate is not trusted");
	assert_served(&scene, "127.0.0.1", &scene.certs, false, '-');
	assert_served(&scene, "127.0.0.1", &scene.certs, false, '-');
	assert_int_equal(atomic_load(&scene.server.requests), 2);
	/* Connections that others were content with are there, and must not be used. */
	assert_refused(&scene, "127.0.0.1", NULL, "the certificate is not trusted");
	assert_served(&scene, "127.0.0.1", NULL, true, '-');
	assert_refused(&scene, "127.0.0.1", NULL, "the certificate is not trusted");
	ask(&scene, "127.0.0.1", NULL, false, &err);
	assert_non_null(strstr(err_notes(err), "certs.d/127.0.0.1:"));
	assert_non_null(strstr(err_notes(err), "--tls-verify=false"));
	err_free(err);
	scene_release(&scene);
}

TEST(trust_is_added_to_what_is_trusted_everywhere)
{
	struct scene scene;
	struct identity other;
	AUTO(certs) struct certs certs = { 0 };
	AUTO(mem) char *own = NULL;
	AUTO(mem) char *everywhere = NULL;
	AUTO(mem) char *variable = NULL;

	scene_init(&scene, "IP:127.0.0.1", 86400);
	other = identity_new("Other Authority", NULL, 86400, NULL);
	own = pem_file(&other, false);
	everywhere = pem_file(&scene.authority, false);
	variable = xasprintf("SSL_CERT_FILE=%s", everywhere);
	environment[0] = variable;
	strings_push(&certs.ca_files, own);
	assert_served(&scene, "127.0.0.1", NULL, false, '-');
	assert_served(&scene, "127.0.0.1", &certs, false, '-');
	environment[0] = NULL;
	identity_release(&other);
	scene_release(&scene);
}

/* The system's directory of certificates, with one in it, found by the hash of its name. */
static void hash_into_system(const struct identity *identity)
{
	int ok = 0;
	unsigned long hash =
		X509_NAME_hash_ex(X509_get_subject_name(identity->cert), NULL, NULL, &ok);
	AUTO(mem) char *dir = xasprintf("%s/etc/ssl/certs", tmp_path);
	AUTO(mem) char *path = xasprintf("%s/%08lx.0", dir, hash);
	AUTO(mem) char *from = pem_file(identity, false);
	AUTO(buf) struct buf text = BUF_INIT(65536);
	AUTO(fd) int dir_fd = -1;

	assert_true(ok);
	assert_ok(file_make_dirs(AT_FDCWD, dir, 0755, &dir_fd));
	assert_ok(file_read(AT_FDCWD, from, 65536, &text));
	assert_ok(file_replace(dir_fd, strrchr(path, '/') + 1, buf_str(&text), 0644, FILE_QUICK));
}

TEST(the_hashed_directory_of_the_system_is_trusted_and_added_to)
{
	struct scene scene;
	struct identity other;
	AUTO(certs) struct certs certs = { 0 };
	AUTO(mem) char *own = NULL;

	machine_root = tmp_path;
	scene_init(&scene, "IP:127.0.0.1", 86400);
	other = identity_new("Other Authority", NULL, 86400, NULL);
	own = pem_file(&other, false);
	strings_push(&certs.ca_files, own);
	hash_into_system(&other);
	assert_refused(&scene, "127.0.0.1", NULL, "the certificate is not trusted");
	hash_into_system(&scene.authority);
	assert_served(&scene, "127.0.0.1", NULL, false, '-');
	assert_served(&scene, "127.0.0.1", &certs, false, '-');
	machine_root = "/nonexistent";
	identity_release(&other);
	scene_release(&scene);
}

TEST(a_certificate_is_for_its_host_and_time)
{
	static const struct {
		const char *alternative;
		long seconds;
		const char *host, *text;
	} cases[] = {
		{ "DNS:registry.example.com", 86400, "127.0.0.1", "127.0.0.1" },
		{ "DNS:127.0.0.1", 86400, "127.0.0.1", "127.0.0.1" },
		{ "IP:127.0.0.1", 86400, "localhost", "localhost" },
		{ "IP:127.0.0.1", -3600, "127.0.0.1", "expired" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct scene scene;

		scene_init(&scene, cases[i].alternative, cases[i].seconds);
		assert_refused(&scene, cases[i].host, &scene.certs, cases[i].text);
		assert_int_equal(atomic_load(&scene.server.requests), 0);
		scene_release(&scene);
	}
}

TEST(our_certificate_is_shown_where_it_belongs)
{
	struct scene scene;

	scene_init(&scene, "IP:127.0.0.1", 86400);
	assert_served(&scene, "127.0.0.1", &scene.certs, false, '-');
	scene.certs.cert = pem_file(&scene.client, false);
	scene.certs.key = pem_file(&scene.client, true);
	assert_served(&scene, "127.0.0.1", &scene.certs, false, '+');
	{
		struct certs none = { .ca_files = scene.certs.ca_files };

		assert_served(&scene, "127.0.0.1", &none, false, '-');
	}
	scene_release(&scene);
}

TEST(a_server_that_wants_a_certificate_says_so)
{
	struct scene scene;

	scene_init(&scene, "IP:127.0.0.1", 86400);
	SSL_CTX_set_verify(scene.server.tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
			   believe);
	assert_refused(&scene, "127.0.0.1", &scene.certs, "certificate required");
	SSL_CTX_set_max_proto_version(scene.server.tls, TLS1_2_VERSION);
	assert_refused(&scene, "127.0.0.1", &scene.certs, "alert handshake failure");
	scene_release(&scene);
}

TEST(files_that_hold_no_certificates_are_named)
{
	struct scene scene;
	AUTO(certs) struct certs certs = { 0 };
	AUTO(certs) struct certs missing = { 0 };
	struct err *err = NULL;

	scene_init(&scene, "IP:127.0.0.1", 86400);
	strings_push(&certs.ca_files, "/dev/null");
	strings_push(&missing.ca_files, "/nonexistent/ca.crt");
	strings_push(&missing.ca_files, "/nonexistent/ca.crt");
	assert_int_equal(ask(&scene, "127.0.0.1", &missing, false, &err), 0);
	assert_non_null(strstr(err_text(err), "/nonexistent/ca.crt"));
	err_free(err);
	scene_release(&scene);
}

static void serve_plain(struct connection *c)
{
	connection_say(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
	connection_request(c);
}

TEST(plain_http_where_tls_was_expected_is_named)
{
	struct scene scene;
	struct server plain = { 0 };
	struct err *err = NULL;
	unsigned port;

	scene_init(&scene, "IP:127.0.0.1", 86400);
	server_start(&plain, serve_plain);
	port = scene.server.port;
	scene.server.port = plain.port;
	assert_int_equal(ask(&scene, "127.0.0.1", NULL, false, &err), 0);
	assert_int_equal(scene.trouble, HTTP_NOT_TLS);
	assert_non_null(strstr(err_text(err), "does not speak TLS"));
	err_free(err);
	scene.server.port = port;
	scene_release(&scene);
	server_stop(&plain);
}

static void serve_reset(struct connection *c)
{
	char byte;

	recv(c->fd, &byte, 1, 0);
	connection_reset(c);
}

TEST(a_reset_in_the_handshake_may_be_tried_again)
{
	struct scene scene;
	struct server plain = { 0 };
	struct err *err = NULL;
	unsigned port;

	scene_init(&scene, "IP:127.0.0.1", 86400);
	server_start(&plain, serve_reset);
	port = scene.server.port;
	scene.server.port = plain.port;
	assert_int_equal(ask(&scene, "127.0.0.1", NULL, false, &err), 0);
	assert_int_equal(scene.trouble, HTTP_CLOSED);
	err_free(err);
	scene.server.port = port;
	scene_release(&scene);
	server_stop(&plain);
}

/* The server speaks at most TLS 1.2, and the system's policy wants 1.3. */
static bool obeys_policy(void *arg)
{
	static const char policy[] = "openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\n"
				     "system_default = policy\n[policy]\nMinProtocol = TLSv1.3\n";
	const char *text = arg;
	int fd = memfd_create("openssl.cnf", 0);
	AUTO(mem) char *path = xasprintf("/proc/self/fd/%d", fd);
	struct scene scene;
	struct err *err = NULL;
	char got;

	CHECK(write(fd, text ? policy : "", text ? strlen(policy) : 0) >= 0);
	CHECK(setenv("OPENSSL_CONF", path, 1) == 0);
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL); /* as base/digest.c does */
	scene_init(&scene, "IP:127.0.0.1", 86400);
	SSL_CTX_set_min_proto_version(scene.server.tls, TLS1_2_VERSION);
	SSL_CTX_set_max_proto_version(scene.server.tls, TLS1_2_VERSION);
	got = ask(&scene, "127.0.0.1", &scene.certs, false, &err);
	CHECK(text ? got == 0 && scene.trouble == HTTP_NO_TLS : got == '-');
	err_free(err);
	scene_release(&scene);
	return true;
}

/* First of all tests: the children must find libcrypto as it is at a start. */
TEST(the_policy_of_the_system_counts)
{
	char version[] = "1.3";

	child_run(obeys_policy, NULL);
	child_run(obeys_policy, version);
}

/* ---- proxies ---- */

static void serve_proxy(struct connection *c)
{
	while (connection_request(c)) {
		if (connection_has(c, "Authorization:") && connection_has(c, "CONNECT "))
			connection_say(c, "HTTP/1.1 500 Leak\r\nContent-Length: 0\r\n\r\n");
		else if (connection_has(c, "CONNECT registry.example.com:443 HTTP/1.1"))
			connection_say(c, "HTTP/1.1 407 Who?\r\nContent-Length: 0\r\n\r\n");
		else if (connection_has(c, "GET http://registry.example.com/v2/ HTTP/1.1"))
			connection_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	}
}

static struct err *ask_through(struct transport *transport, const char *url,
			       enum http_trouble *ret_trouble)
{
	AUTO(strings) struct strings headers = { 0 };
	AUTO(http_response) struct http_response *response = NULL;
	const struct http_request request = { .url = url, .headers = &headers };

	strings_push(&headers, "Authorization: Basic c2VjcmV0");
	return transport->ops->send(transport->self, &request, &response, ret_trouble);
}

TEST(a_proxy_carries_requests_and_sees_no_secret_of_tls)
{
	struct server proxy = { 0 };
	AUTO(mem) char *plain = NULL;
	AUTO(mem) char *tunnel = NULL;
	char *variables[3] = { NULL };
	const struct config_paths paths = { "/nonexistent", variables, 0 };
	struct transport transport = http_transport_new(&(struct http_opts){ .paths = &paths });
	enum http_trouble trouble;
	AUTO(err) struct err *err = NULL;

	server_start(&proxy, serve_proxy);
	plain = xasprintf("HTTP_PROXY=http://127.0.0.1:%u", proxy.port);
	tunnel = xasprintf("HTTPS_PROXY=http://127.0.0.1:%u", proxy.port);
	variables[0] = plain;
	variables[1] = tunnel;
	assert_ok(ask_through(&transport, "http://registry.example.com/v2/", &trouble));
	err = ask_through(&transport, "https://registry.example.com/v2/", &trouble);
	assert_int_equal(trouble, HTTP_PROXY);
	assert_non_null(strstr(err_text(err), "status 407"));
	transport_free(&transport);
	server_stop(&proxy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_policy_of_the_system_counts),
		cmocka_unit_test(trust_is_for_the_request_that_brings_it),
		cmocka_unit_test(trust_is_added_to_what_is_trusted_everywhere),
		cmocka_unit_test(the_hashed_directory_of_the_system_is_trusted_and_added_to),
		cmocka_unit_test(a_certificate_is_for_its_host_and_time),
		cmocka_unit_test(our_certificate_is_shown_where_it_belongs),
		cmocka_unit_test(a_server_that_wants_a_certificate_says_so),
		cmocka_unit_test(files_that_hold_no_certificates_are_named),
		cmocka_unit_test(plain_http_where_tls_was_expected_is_named),
		cmocka_unit_test(a_reset_in_the_handshake_may_be_tried_again),
		cmocka_unit_test(a_proxy_carries_requests_and_sees_no_secret_of_tls),
	};

	signal(SIGPIPE, SIG_IGN); /* SSL_write() of the server */
	return cmocka_run_group_tests(tests, tmp_setup, tmp_teardown);
}
