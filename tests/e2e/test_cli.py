"""The ember command."""
import os, subprocess

from ember import AWS, EMBER


def test_env_points_a_shell_at_this_ember(ember):
    script = 'eval "$(%s env --data-dir %s)" && %s sts get-caller-identity --query Arn --output text' % (EMBER, ember.data_dir, AWS)
    env = {"PATH": os.environ["PATH"], "HOME": str(ember.folder), "AWS_PROFILE": "elsewhere", "AWS_SESSION_TOKEN": "old"}
    done = subprocess.run(["bash", "-c", script], env=env, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.strip() == "arn:aws:iam::111122223333:root"


def test_env_has_all_that_sdks_read(ember):
    text = ember.ember("env").stdout.decode()
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"):
        assert "export %s='" % name in text
    assert "export AWS_DISABLE_HOST_PREFIX_INJECTION='true'" in text


def test_configure_writes_a_profile_and_keeps_the_others(ember, tmp_path):
    config, credentials = tmp_path / "aws/config", tmp_path / "credentials"
    config.parent.mkdir()
    config.write_text("[default]\nregion = eu-west-1\n")
    files = {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(credentials)}
    ember.ember("configure", env=files)
    ember.ember("configure", env=files)
    assert config.read_text().startswith("[default]\nregion = eu-west-1\n")
    assert config.read_text().count("endpoint_url") == 1
    assert credentials.stat().st_mode & 0o777 == 0o600
    env = {k: v for k, v in ember.env.items() if not k.startswith("AWS_")}
    done = subprocess.run([AWS, "--profile", "ember", "sts", "get-caller-identity", "--query", "Account", "--output", "text"],
                          env=dict(env, **files), stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.strip() == "111122223333"


def test_kubeconfig_serves_kubectl(ember):
    names = ember.kubectl("get", "namespaces", "-o", "name").split()
    assert names == ["namespace/" + n for n in ("default", "kube-node-lease", "kube-public", "kube-system")]


def test_clusters_lists_local(ember):
    assert ember.ember("clusters").stdout == b"local\n"


def test_an_unknown_cluster_is_told(ember):
    done = ember.ember("kubeconfig", "nowhere", ok=False)
    assert done.returncode == 1 and b"no embedded cluster nowhere" in done.stderr


def test_doctor_names_what_is_there(ember):
    text = ember.ember("doctor", ok=False).stdout.decode()
    for word in ("java", "bwrap", "user namespaces", "cgroups", "sparks", "memory", "disk"):
        assert word in text


def test_without_a_daemon_it_says_so(ember, tmp_path):
    done = ember.ember("env", "--data-dir", tmp_path, ok=False)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and b"--data-dir" in done.stderr


def test_unknown_commands_and_options_are_told(ember):
    for args in (["fly"], ["env", "--fast"], ["env", "extra"], []):
        assert ember.ember(*args, ok=False).returncode == 2
