/* watch_hub: the watches of all clients of one API server. Listens to the registry once, evaluates each watch's selectors on the
 * object before and after a change, and queues frames on the clients' streams; a timer thread sends bookmarks, ends watches whose
 * time is over and buries those whose clients left. Holds no worker.
 * Source: kubernetes documentation, "Kubernetes API Concepts", efficient detection of changes; captures watch-*. */
#pragma once
#include "cluster/apiserver/call.h"

struct watch_hub;

struct err *watch_hub_start(struct registry *registry, struct watch_hub **ret_hub) NODISCARD;
/* The HTTP server must be stopped before. NULL is fine. */
void watch_hub_stop(struct watch_hub *hub);
/* Answers the call with a watch: reads all its query options. Errors before the head are returned. */
struct err *watch_serve(struct watch_hub *hub, struct api_call *call) NODISCARD;
