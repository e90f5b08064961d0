/*
 * DPDK's own IP fragmentation library, a burst a call, as its ip_reassembly and ip_fragmentation examples use it. Only the
 * reassembly bench is built with this (feature `ip-frag`).
 */
#ifndef WEIR_DPDK_IP_FRAG_H
#define WEIR_DPDK_IP_FRAG_H

#include <stdint.h>

struct rte_mbuf;
struct weir_frag;

/* A table for so many datagrams, that live for so many cycles; NULL when there is no memory. */
struct weir_frag *weir_frag_new(uint32_t datagrams, uint64_t cycles);
void weir_frag_delete(struct weir_frag *f);
/*
 * Takes a burst of Ethernet frames. Packets that are no fragment, and datagrams that became whole, with their header checksum
 * made anew, go to out, which has room for n; how many.
 */
uint16_t weir_frag_reassemble(struct weir_frag *f, struct rte_mbuf **in, uint16_t n, struct rte_mbuf **out);
/*
 * Cuts each IPv4 packet of a burst of Ethernet frames at mtu bytes of IP packet; link header and checksum are put to each
 * piece. out has room for all pieces; how many.
 */
uint16_t weir_frag_cut(struct rte_mbuf **in, uint16_t n, uint16_t mtu, struct rte_mbuf **out, uint16_t room);

#endif
