"""A cluster comes back on its own address: pods that outlived the daemon know it by that."""
import os, pathlib, shutil, signal, socket

import pytest

from conftest import PodCluster, wait_for


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_comes_back_on_its_address_while_a_pod_runs(own_cluster, how):
    own_cluster.run_with_pauses("p", "echo before; pause; echo after")
    own_cluster.wait_phase("p", "Running")
    # connections that are open when it dies leave their ends in the kernel for a minute
    follower = own_cluster.server.open()
    follower.request("GET", "/api/v1/namespaces/default/pods?watch=true")
    follower.getresponse().readline()
    for _ in range(3):
        url, process = own_cluster.url(), own_cluster.process
        process.send_signal(how)
        if how == signal.SIGTERM:
            process.wait(60)
        process.stdout.close()
        own_cluster.start() # at once: a killed process may still be letting go of its sockets
        process.wait(60)
        assert own_cluster.url() == url
    text = lambda: own_cluster.call("GET", "/api/v1/namespaces/default/pods/p/log").get("text")
    wait_for(lambda: text() == "before\n", "the first line")
    own_cluster.go_on("p")
    own_cluster.wait_phase("p", "Succeeded")
    assert text() == "before\nafter\n"
    follower.close()


def test_its_address_is_kept_for_it_while_it_is_down(own_cluster):
    """Another daemon that makes a cluster meanwhile takes another network."""
    own_cluster.run("p", "sleep 600")
    own_cluster.wait_phase("p", "Running")
    url = own_cluster.url()
    own_cluster.kill()
    other = PodCluster().start()
    try:
        assert other.url() != url
        own_cluster.start()
        assert own_cluster.url() == url
        assert own_cluster.phase("p") == "Running"
        other.stop()
    finally:
        other.remove()


def test_the_network_of_a_removed_cluster_is_free_again(own_cluster):
    network = lambda cluster: int(cluster.server.host.split(".")[1])
    other = PodCluster()
    try:
        was = network(other.start())
        other.kill()
    finally:
        other.process = None
        shutil.rmtree(other.directory) # its link is left behind, and holds nothing any more
    link, third = pathlib.Path("/tmp/.ember-network-127.%d" % was), PodCluster()
    try:
        third.start()
        # daemons of other tests may have let go of a lower one, or taken this one first
        wait_for(lambda: network(third) <= was or not link.is_symlink() or not os.readlink(link).startswith(other.directory), "the network to be given out again")
        third.stop()
    finally:
        third.remove()
        super(PodCluster, other).remove()


def test_it_is_refused_with_a_sentence_when_its_address_is_taken(own_cluster):
    host, port = own_cluster.server.host, own_cluster.server.port
    own_cluster.stop()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((host, port))
        taken.listen()
        with pytest.raises(RuntimeError) as refused:
            own_cluster.start()
        own_cluster.process.stdout.close()
        own_cluster.process = None
    sentence = "cluster local is not served: its address %s:%d is taken by another process" % (host, port)
    assert sentence in str(refused.value)
    assert '"event":"CLUSTER_REFUSED"' in str(refused.value)
    own_cluster.start()
    assert (own_cluster.server.host, own_cluster.server.port) == (host, port)
    wait_for(lambda: own_cluster.call("GET", "/readyz")["status"] == 200, "it to be ready")
