/*
 * Functions that DPDK's headers define inline, or that are macros or thread-locals: they have no symbol to link to.
 * One call here serves a whole burst wherever the fast path is concerned.
 */
#ifndef WEIR_DPDK_SHIM_H
#define WEIR_DPDK_SHIM_H

#include <stdint.h>

struct rte_mbuf;
struct rte_mempool;
struct rte_ring;

/* Thread-locals and macros. */
int weir_rte_errno(void);
unsigned weir_lcore_id(void);
uint64_t weir_rdtsc(void);
void weir_pause(void);
/* Sends DPDK's log to standard error: its own default is standard output, which is ours to write. */
void weir_log_to_stderr(void);

/* ethdev bursts: inline over rte_eth_fp_ops, with the callback lists honoured. */
uint16_t weir_eth_rx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **bufs, uint16_t n);
uint16_t weir_eth_tx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **bufs, uint16_t n);

/* mbufs. */
struct rte_mbuf *weir_mbuf_alloc(struct rte_mempool *pool);
void weir_mbuf_free(struct rte_mbuf *m);
void weir_mbuf_free_seg(struct rte_mbuf *m);
/* 1 when nobody else sees the bytes of this segment. */
int weir_mbuf_unshared(struct rte_mbuf *m);
/* Unlinks the first of two or more segments and frees it; the packet's fields move to the new head. */
struct rte_mbuf *weir_mbuf_drop_head(struct rte_mbuf *m);
/* Chains tail behind head. The caller has checked the number of segments. */
void weir_mbuf_chain(struct rte_mbuf *head, struct rte_mbuf *tail);
/*
 * Cuts a chain behind its first len bytes, 0 < len < pkt_len; the second part comes back. A segment that is cut is shared by
 * both parts. NULL when the pool is empty: nothing has changed then.
 */
struct rte_mbuf *weir_mbuf_split(struct rte_mbuf *head, uint32_t len);
/* Makes room for n bytes in front of the first segment's, if that is nobody else's and has them; NULL otherwise. */
uint8_t *weir_mbuf_prepend(struct rte_mbuf *head, uint16_t n);
/* What a rebuilt datagram was made from: in the field that a received frame has its hash in. */
void weir_mbuf_set_note(struct rte_mbuf *m, uint64_t note);
uint64_t weir_mbuf_note(const struct rte_mbuf *m);

/*
 * Asks the port to compute the checksum of the IPv4 header that stands behind l2 bytes and is l3 bytes long; its field must be
 * zero.
 */
void weir_mbuf_ask_ipv4_checksum(struct rte_mbuf *m, uint8_t l2, uint16_t l3);
/* Whether that is asked for. */
int weir_mbuf_asks_ipv4_checksum(const struct rte_mbuf *m);
/* Asks for what from asks for, if anything. */
void weir_mbuf_ask_as(struct rte_mbuf *m, const struct rte_mbuf *from);

/* Rings of one producer and one consumer. */
unsigned weir_ring_sp_enqueue(struct rte_ring *r, void *const *objs, unsigned n);
unsigned weir_ring_sc_dequeue(struct rte_ring *r, void **objs, unsigned n);
unsigned weir_ring_count(const struct rte_ring *r);

#endif
