/* volume: the contents of a pod's volumes under POD_DIR/volumes/NAME. configMap, secret, projected (token, configMap, secret,
 * downwardAPI), downwardAPI and emptyDir are served; hostPath would open the machine to pods and is refused, and so are claims:
 * there is no storage to claim. Called by the kubelet's thread. */
#pragma once
#include "base/clock.h"
#include "cluster/kubelet/node.h"
#include "cluster/kubelet/pod_env.h"

struct volume_input {
    const struct pod_env_input *env; /* pod, addresses, ConfigMaps and Secrets */
    struct slice pod_dir;
    int64_t run_uid;                 /* -1: files stay ours */
    token_mint_fn mint_token;
    void *mint_ctx;
};

/* Makes all of them; again is fine. ret_renew_at: when the first token wants renewal (ms 0: never). Errors have the words of a
 * FailedMount event; ERR_NOT_FOUND: try again when the object may be there; ERR_INVALID: never. */
struct err *volumes_make(struct arena *arena, const struct volume_input *input, struct instant *ret_renew_at) NODISCARD;
/* Only the tokens, each replaced atomically. */
struct err *volumes_renew_tokens(struct arena *arena, const struct volume_input *input, struct instant *ret_renew_at) NODISCARD;
/* True when some volume of the pod, or its environment, names this ConfigMap or Secret. */
bool pod_mentions(const struct json *pod, const char *resource, struct slice name);
