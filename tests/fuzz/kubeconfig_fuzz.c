/* kubeconfig_fuzz: any text is a kubeconfig that makes a client, or refused. Nothing is connected to. */
#include "fuzz.h"
#include "k8s/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct k8s_client *client = NULL;
    struct err *e = k8s_client_from_kubeconfig(slice_of((const char *)data, size), &client);
    ENSURE(!e == !!client);
    err_free(e);
    k8s_client_free(client);
    return 0;
}
