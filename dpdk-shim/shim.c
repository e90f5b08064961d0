#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_pause.h>
#include <rte_ring.h>

#include "shim.h"

int weir_rte_errno(void)
{
	return rte_errno;
}

unsigned weir_lcore_id(void)
{
	return rte_lcore_id();
}

uint64_t weir_rdtsc(void)
{
	return rte_rdtsc();
}

void weir_pause(void)
{
	rte_pause();
}

void weir_log_to_stderr(void)
{
	rte_openlog_stream(stderr);
}

uint16_t weir_eth_rx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **bufs, uint16_t n)
{
	return rte_eth_rx_burst(port, queue, bufs, n);
}

uint16_t weir_eth_tx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **bufs, uint16_t n)
{
	return rte_eth_tx_burst(port, queue, bufs, n);
}

struct rte_mbuf *weir_mbuf_alloc(struct rte_mempool *pool)
{
	return rte_pktmbuf_alloc(pool);
}

void weir_mbuf_free(struct rte_mbuf *m)
{
	rte_pktmbuf_free(m);
}

void weir_mbuf_free_seg(struct rte_mbuf *m)
{
	rte_pktmbuf_free_seg(m);
}

int weir_mbuf_unshared(struct rte_mbuf *m)
{
	if (RTE_MBUF_CLONED(m))
		return 0;
	if (RTE_MBUF_HAS_EXTBUF(m))
		return rte_mbuf_ext_refcnt_read(m->shinfo) == 1;
	return rte_mbuf_refcnt_read(m) == 1;
}

struct rte_mbuf *weir_mbuf_drop_head(struct rte_mbuf *m)
{
	/* These two flags say where a segment's own bytes lie; all others speak of the packet. */
	const uint64_t own = RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
	struct rte_mbuf *head = m->next;

	head->ol_flags = (head->ol_flags & own) | (m->ol_flags & ~own);
	head->pkt_len = m->pkt_len - m->data_len;
	head->nb_segs = m->nb_segs - 1;
	head->port = m->port;
	head->packet_type = m->packet_type;
	head->vlan_tci = m->vlan_tci;
	head->vlan_tci_outer = m->vlan_tci_outer;
	head->hash = m->hash;
	head->tx_offload = m->tx_offload;
	rte_mbuf_dynfield_copy(head, m);

	m->next = NULL;
	m->nb_segs = 1;
	rte_pktmbuf_free_seg(m);
	return head;
}

void weir_mbuf_chain(struct rte_mbuf *head, struct rte_mbuf *tail)
{
	/* Fails only past RTE_MBUF_MAX_NB_SEGS. */
	(void)rte_pktmbuf_chain(head, tail);
}

struct rte_mbuf *weir_mbuf_split(struct rte_mbuf *head, uint32_t len)
{
	struct rte_mbuf *m = head, *rest;
	uint16_t segments = 1;
	uint32_t left = len;

	/* To the segment that has the last byte of the first part. */
	while (left > m->data_len) {
		left -= m->data_len;
		m = m->next;
		segments++;
	}
	if (left == m->data_len) {
		rest = m->next;
		rest->nb_segs = head->nb_segs - segments;
	} else {
		rest = rte_pktmbuf_alloc(m->pool);
		if (unlikely(rest == NULL))
			return NULL;
		rte_pktmbuf_attach(rest, m);
		rest->data_off += left;
		rest->data_len -= left;
		rest->next = m->next;
		rest->nb_segs = head->nb_segs - segments + 1;
		m->data_len = left;
	}
	rest->pkt_len = head->pkt_len - len;
	m->next = NULL;
	head->nb_segs = segments;
	head->pkt_len = len;
	return rest;
}

uint8_t *weir_mbuf_prepend(struct rte_mbuf *head, uint16_t n)
{
	if (!RTE_MBUF_DIRECT(head) || rte_mbuf_refcnt_read(head) != 1)
		return NULL;
	return (uint8_t *)rte_pktmbuf_prepend(head, n);
}

void weir_mbuf_set_note(struct rte_mbuf *m, uint64_t note)
{
	memcpy(&m->hash, &note, sizeof(note));
}

uint64_t weir_mbuf_note(const struct rte_mbuf *m)
{
	uint64_t note;

	memcpy(&note, &m->hash, sizeof(note));
	return note;
}

#define ASK_IPV4 (RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM)

void weir_mbuf_ask_ipv4_checksum(struct rte_mbuf *m, uint8_t l2, uint16_t l3)
{
	m->tx_offload = 0;
	m->l2_len = l2;
	m->l3_len = l3;
	m->ol_flags |= ASK_IPV4;
}

int weir_mbuf_asks_ipv4_checksum(const struct rte_mbuf *m)
{
	return (m->ol_flags & ASK_IPV4) == ASK_IPV4;
}

void weir_mbuf_ask_as(struct rte_mbuf *m, const struct rte_mbuf *from)
{
	m->ol_flags |= from->ol_flags & ASK_IPV4;
	m->tx_offload = from->tx_offload;
}

unsigned weir_ring_sp_enqueue(struct rte_ring *r, void *const *objs, unsigned n)
{
	return rte_ring_sp_enqueue_burst(r, objs, n, NULL);
}

unsigned weir_ring_sc_dequeue(struct rte_ring *r, void **objs, unsigned n)
{
	return rte_ring_sc_dequeue_burst(r, objs, n, NULL);
}

unsigned weir_ring_count(const struct rte_ring *r)
{
	return rte_ring_count(r);
}
