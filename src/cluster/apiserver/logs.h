/* logs: the log subresource of pods. A log that has ended is sent by the worker; a follow is handed to one follower thread, which
 * is woken by inotify and holds no worker. Files are the kubelet's (cluster/kubelet/pod_log.h).
 * Source: kubernetes API, PodLogOptions; captures pod-log-api, kubectl-logs. */
#pragma once
#include "base/err.h"

struct log_follower;

struct err *log_follower_start(struct log_follower **ret_follower) NODISCARD;
/* The HTTP server must be stopped before. NULL is fine. */
void log_follower_stop(struct log_follower *follower);
