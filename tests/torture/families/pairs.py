from tests.torture.sandbox import Sandbox
NAMED = {}
def draw(sandbox: Sandbox) -> None: pass
