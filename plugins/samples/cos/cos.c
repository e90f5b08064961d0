/* Class of service: sets the DSCP bits of every packet to the number in its configuration, and counts packets per service
 * set. Works per packet, without sessions.
 *
 * cc -shared -fPIC -O2 -I ../../include -o cos.so cos.c
 */
#include <stdlib.h>
#include <string.h>
#include "weir_plugin.h"

static const char *const counters[] = {"marked", NULL};
static uint8_t dscp;

static int control(void *self, uint32_t event, const struct weir_control *control)
{
    (void)self, (void)event, (void)control;
    return WEIR_OK;
}

static int data(void *self, uint32_t event, struct weir_data *data)
{
    (void)self;
    if (event == WEIR_EVENT_PACKET && data->host->edit(data, WEIR_EDIT_DSCP, &dscp, 1))
        data->host->count(data, data->set, 0, 1);
    return WEIR_OK;
}

int weir_plugin_entry(const struct weir_host *host, struct weir_registration *out)
{
    char *end;
    unsigned long number;
    int fits = weir_register(host, out);
    if (fits != 0)
        return fits;
    number = strtoul(host->config, &end, 10);
    if (end == host->config || *end != '\0' || number > 63) {
        strcpy(out->error, "cos wants a DSCP from 0 to 63 as its config");
        return WEIR_REFUSED;
    }
    dscp = (uint8_t)number;
    out->name = "cos-sample";
    out->kind = "marking";
    out->flags = WEIR_FLAG_PACKET_MODE;
    out->counters = counters;
    out->control = control;
    out->data = data;
    return WEIR_OK;
}
