/* wire: what the kubelet (in emberd) and the pod supervisor (ember-run) tell each other. They share a directory, PODS_DIR/<pod
 * uid>/, and nothing else, so that either may be restarted or replaced by another version.
 *
 *   pod.json       the Pod as it was when it was started (kubelet; for adoption)
 *   run.json       what ember-run shall do; 0600, it holds secrets (kubelet, once, before ember-run starts)
 *   status.json    what became of it; replaced by rename at every change (ember-run)
 *   lock           ember-run holds flock(LOCK_EX) on it for as long as it lives
 *   stop           when it appears: end the pod; its content is the grace in seconds (kubelet; may be replaced by a shorter one)
 *   hosts          /etc/hosts of all containers, rewritten in place (kubelet)
 *   etc/           passwd, group, hostname, resolv.conf (ember-run)
 *   volumes/NAME/  contents of volumes (kubelet)
 *   containers/NAME/N.log   CRI log of the N-th start, of the last two; N.log.old what was rotated out (ember-run)
 *   supervisor.log ember-run's own words (stderr of ember-run)
 *
 * run.json:
 *   {"version":1,"podUid","namespace","podName","hostname","podIp","runUid":N|absent (ordinary user),"fsGroup"?,
 *    "graceSeconds":30,"restartPolicy":"Never","activeDeadlineSeconds"?,"logMaxBytes":N,
 *    "containers":[CONTAINER]}           init containers first, in order
 *   CONTAINER: {"name","init":bool,"command":[…],"args":[…],"env":[["K","V"],…],"workingDir"?,"memoryLimitBytes"?,"cpuMillis"?,
 *    "image":{"kind":"host"|"spark","sparkHome"?,"sparkVersion"?,"archivesDir"?,"pythonPath"?},
 *    "dumpClassArchive"? (a directory on this machine),"mounts":[{"source","target","readOnly":bool}],
 *    "tmpfs":[{"target","sizeBytes"?}],"fetch":[{"uri","name"}]}
 *
 * status.json:
 *   {"version":1,"podUid","pid":N,"startTicks":N,"phase":"Pending"|"Running"|"Succeeded"|"Failed","reason"?,"message"?,
 *    "done":bool,"containers":[{"name","init":bool,"restartCount":N,"state":STATE,"lastState":STATE?}]}
 *   STATE: {"kind":"waiting","reason","message"?} | {"kind":"running","startedAt","pid"} |
 *          {"kind":"terminated","exitCode","signal"?,"reason","message"?,"startedAt"?,"finishedAt"}
 *   Times are RFC 3339 with milliseconds. "pid" is that of the container's first process as this machine counts. */
#pragma once

#define WIRE_VERSION 1
#define WIRE_POD_FILE "pod.json"
#define WIRE_RUN_FILE "run.json"
#define WIRE_STATUS_FILE "status.json"
#define WIRE_LOCK_FILE "lock"
#define WIRE_STOP_FILE "stop"
#define WIRE_HOSTS_FILE "hosts"
#define WIRE_SUPERVISOR_LOG "supervisor.log"
#define WIRE_VOLUMES_DIR "volumes"
#define WIRE_CONTAINERS_DIR "containers"
#define WIRE_LOG_MAX_BYTES (1024LL * 1024 * 1024) /* of one pod's containers, each half kept as N.log.old */
#define WIRE_CONTAINERS_MAX 64
#define WIRE_FILE_MAX_BYTES (4 * 1024 * 1024)
