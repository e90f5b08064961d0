#include <rte_cycles.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_ip_frag.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "ip_frag.h"

/* The examples' own numbers. */
#define BUCKET_ENTRIES 16
#define PREFETCH 3

struct weir_frag {
	struct rte_ip_frag_tbl *table;
	struct rte_ip_frag_death_row row;
};

struct weir_frag *weir_frag_new(uint32_t datagrams, uint64_t cycles)
{
	struct weir_frag *f = rte_zmalloc(NULL, sizeof(*f), 0);

	if (f == NULL)
		return NULL;
	f->table = rte_ip_frag_table_create(datagrams, BUCKET_ENTRIES, datagrams, cycles, SOCKET_ID_ANY);
	if (f->table == NULL) {
		rte_free(f);
		return NULL;
	}
	return f;
}

void weir_frag_delete(struct weir_frag *f)
{
	rte_ip_frag_table_destroy(f->table);
	rte_free(f);
}

static inline struct rte_mbuf *reassemble(struct weir_frag *f, struct rte_mbuf *m, uint64_t now)
{
	struct rte_ether_hdr *link = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(link + 1);
	struct rte_mbuf *whole;

	if (link->ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) || !rte_ipv4_frag_pkt_is_fragmented(ip))
		return m;
	m->l2_len = sizeof(*link);
	m->l3_len = rte_ipv4_hdr_len(ip);
	whole = rte_ipv4_frag_reassemble_packet(f->table, &f->row, m, now, ip);
	if (whole == NULL)
		return NULL;
	ip = rte_pktmbuf_mtod_offset(whole, struct rte_ipv4_hdr *, sizeof(*link));
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	return whole;
}

uint16_t weir_frag_reassemble(struct weir_frag *f, struct rte_mbuf **in, uint16_t n, struct rte_mbuf **out)
{
	const uint64_t now = rte_rdtsc();
	uint16_t i, done = 0;

	for (i = 0; i < PREFETCH && i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(in[i], void *));
	for (i = 0; i < n; i++) {
		struct rte_mbuf *m;

		if (i + PREFETCH < n)
			rte_prefetch0(rte_pktmbuf_mtod(in[i + PREFETCH], void *));
		m = reassemble(f, in[i], now);
		if (m != NULL)
			out[done++] = m;
	}
	rte_ip_frag_free_death_row(&f->row, PREFETCH);
	return done;
}

uint16_t weir_frag_cut(struct rte_mbuf **in, uint16_t n, uint16_t mtu, struct rte_mbuf **out, uint16_t room)
{
	uint16_t i, done = 0;

	for (i = 0; i < n; i++) {
		const struct rte_ether_hdr link = *rte_pktmbuf_mtod(in[i], struct rte_ether_hdr *);
		int32_t pieces;

		rte_pktmbuf_adj(in[i], sizeof(link));
		pieces = rte_ipv4_fragment_packet(in[i], out + done, room - done, mtu, in[i]->pool, in[i]->pool);
		rte_pktmbuf_free(in[i]);
		for (; pieces > 0; pieces--, done++) {
			struct rte_mbuf *m = out[done];
			struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *);

			ip->hdr_checksum = 0;
			ip->hdr_checksum = rte_ipv4_cksum(ip);
			*(struct rte_ether_hdr *)rte_pktmbuf_prepend(m, sizeof(link)) = link;
		}
	}
	return done;
}
