/* overlay/network.c - see overlay/network.h. */

#include "overlay/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "overlay/network-private.h"

struct network {
	struct link link;  /* that the program carries */
	struct link inner; /* the steps', if they have another one */
	struct carrier carrier;
	const struct network_tool *tool;
};

/* Each program gets a namespace that no other has touched. */
static struct err *try_tool(const struct network_tool *tool, const struct network_opts *opts,
			    struct network **ret)
{
	AUTO(network) struct network *network = xcalloc(1, sizeof(*network));
	int index = 0;

	*network = (struct network){
		.link = LINK_INIT, .inner = LINK_INIT, .carrier = CARRIER_INIT, .tool = tool
	};
	TRY(link_open(opts->walled ? -1 : opts->userns_fd, &network->link));
	TRY(carrier_start(tool, &network->link, opts, &network->carrier));
	TRY(carrier_wait(&network->carrier, tool->name, &network->link, &index));
	TRY(link_guard(&network->link, index));
	if (opts->walled) {
		TRY(link_open(opts->userns_fd, &network->inner));
		TRY(err_wrap(link_wall(&network->link, index, &network->inner),
			     "keep steps with CAP_NET_ADMIN from the filter of the network"));
	}
	*ret = STEAL(network);
	return NULL;
}

/* What helps, of the notes of `err`, once. */
static void add_notes(struct buf *notes, const struct err *err)
{
	const char *text = err_notes(err);

	if (text && !str_is(buf_str(notes), text))
		buf_addf(notes, "%s%s", notes->len ? "\n" : "", text);
}

/* The reasons of all programs that were tried. */
static struct err *refuse(struct buf *reasons, struct buf *notes)
{
	struct err *err;

	TRY(buf_check(reasons, "the reasons"));
	TRY(buf_check(notes, "the notes"));
	err = err_new(ERR_UNSUPPORTED, "%.*s", (int)reasons->len, reasons->at);
	return notes->len ? err_note(err, "%.*s", (int)notes->len, notes->at) : err;
}

struct err *network_start(const struct network_opts *opts, struct network **ret)
{
	AUTO(buf) struct buf reasons = BUF_INIT((size_t)4096);
	AUTO(buf) struct buf notes = BUF_INIT((size_t)4096);

	for (const struct network_tool *tool = network_tools; tool->name; tool++) {
		AUTO(err) struct err *err = NULL;

		if (opts->port_count && !tool->publishes && reasons.len)
			continue; /* which is not what is wrong */
		err = try_tool(tool, opts, ret);
		if (!err)
			return NULL;
		if (err_kind(err) == ERR_CANCELLED)
			return STEAL(err);
		if (err_kind(err) != ERR_NOT_FOUND &&
		    !str_is(buf_str(&reasons), err_text(err))) /* the same one for both */
			buf_addf(&reasons, "%s%s", reasons.len ? "; " : "", err_text(err));
		if (err_kind(err) != ERR_NOT_FOUND)
			add_notes(&notes, err);
	}
	if (reasons.len)
		return refuse(&reasons, &notes);
	return err_note(err_new(ERR_UNSUPPORTED, "neither pasta nor slirp4netns is installed"),
			"Install pasta (package passt)%s.",
			opts->port_count ? "" : " or slirp4netns");
}

void network_free(struct network *network)
{
	if (!network)
		return;
	carrier_stop(&network->carrier);
	link_close(&network->inner);
	link_close(&network->link);
	free(network);
}

int network_fd(const struct network *network)
{
	return network->inner.ns_fd >= 0 ? network->inner.ns_fd : network->link.ns_fd;
}

const char *network_tool_name(const struct network *network)
{
	return network->tool->name;
}

struct err *network_host_address(char ret[static NETWORK_ADDRESS_SIZE])
{
	/* Nothing is sent: the kernel says which address it would be sent from. */
	const struct sockaddr_in far = { .sin_family = AF_INET,
					 .sin_port = htons(9),
					 .sin_addr.s_addr = htonl(0xc6336401) /* 198.51.100.1 */ };
	AUTO(fd) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in own = { 0 };
	socklen_t len = sizeof(own);

	if (fd < 0)
		return err_sys("make a socket");
	if (connect(fd, (const struct sockaddr *)&far, sizeof(far)) < 0 ||
	    getsockname(fd, (struct sockaddr *)&own, &len) < 0 ||
	    ntohl(own.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET)
		return err_new(ERR_UNSUPPORTED, "this machine has no address but the loopback's");
	inet_ntop(AF_INET, &own.sin_addr, ret, NETWORK_ADDRESS_SIZE);
	return NULL;
}
