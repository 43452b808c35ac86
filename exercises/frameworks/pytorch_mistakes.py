"""Classic mistakes of the exercise ``frameworks/pytorch``, each with what its author must be told."""

from dlcourse.checks import Mistake

GRADIENTS = {"loss_gradients_check": 1, "loss_gradients_hidden": 2}
LINEAR = {"as_linear_check": 1, "as_linear_hidden": 1}
NETWORK = {"Perceptron_check": 2, "Perceptron_hidden": 2}
TRAIN = {"losses_of_check": 2, "losses_of_hidden": 2}


def _gradients(
    name: str, told: str, *, loss: str = "F.cross_entropy(z, labels)", returned: str = "W.grad, b.grad"
) -> Mistake:
    code = (
        "def loss_gradients(W, b, x, labels):\n"
        "    W, b = W.clone().requires_grad_(), b.clone().requires_grad_()\n"
        "    z = x @ W + b\n"
        f"    loss = {loss}\n"
        "    loss.backward()\n"
        f"    return {returned}\n"
    )
    return Mistake("loss_gradients", name, code, GRADIENTS, told)


def _linear(name: str, told: str, *, weight: str = "W.T", bias: str = "layer.bias.copy_(b)") -> Mistake:
    code = (
        "def as_linear(W, b):\n"
        "    layer = nn.Linear(*W.shape)\n"
        "    with torch.no_grad():\n"
        f"        layer.weight = nn.Parameter({weight}.clone())\n"
        f"        {bias}\n"
        "    return layer\n"
    )
    return Mistake("as_linear", name, code, LINEAR, told)


def _network(
    name: str,
    told: str,
    *,
    weights: str = "nn.ParameterList(W.clone() for W in arrays[0::2])",
    biases: str = "nn.ParameterList(b.clone() for b in arrays[1::2])",
    hidden: str = "F.relu(x @ W + b)",
    answer: str = "z",
    loses: dict[str, float] | None = None,
) -> Mistake:
    code = (
        "class Perceptron(nn.Module):\n"
        "    def count_params(self):\n"
        "        return sum(p.numel() for p in self.parameters() if p.requires_grad)\n"
        "\n"
        "    def __init__(self, *arrays):\n"
        "        super().__init__()\n"
        f"        self.weights = {weights}\n"
        f"        self.biases = {biases}\n"
        "\n"
        "    def forward(self, x):\n"
        "        for W, b in zip(self.weights[:-1], self.biases[:-1]):\n"
        f"            x = {hidden}\n"
        "        z = x @ self.weights[-1] + self.biases[-1]\n"
        f"        return {answer}\n"
    )
    return Mistake("Perceptron", name, code, NETWORK if loses is None else loses, told)


def _train(
    name: str,
    told: str,
    *,
    parameters: str = "[W, b]",
    options: str = "",
    zero: str = "optimizer.zero_grad()",
    loss: str = "F.cross_entropy(z, labels)",
    backward: str = "loss.backward()",
    step: str = "optimizer.step()",
    kept: str = "loss.item()",
    returned: str = "losses",
) -> Mistake:
    code = (
        "def losses_of(W, b, x, labels, rate, steps):\n"
        "    W, b = W.clone().requires_grad_(), b.clone().requires_grad_()\n"
        f"    optimizer = torch.optim.SGD({parameters}, lr=rate{options})\n"
        "    losses = []\n"
        "    for _ in range(steps):\n"
        f"        {zero}\n"
        "        z = x @ W + b\n"
        f"        loss = {loss}\n"
        f"        {backward}\n"
        f"        {step}\n"
        f"        losses.append({kept})\n"
        f"    return {returned}\n"
    )
    return Mistake("losses_of", name, code, TRAIN, told)


MISTAKES = [
    _gradients(
        "softmax twice",
        "You took softmax before the cross-entropy",
        loss="F.cross_entropy(z.softmax(-1), labels)",
    ),
    _gradients(
        "sum over the batch",
        "You summed the losses of the batch",
        loss="F.cross_entropy(z, labels, reduction='sum')",
    ),
    _gradients("exchanged", "You exchanged the two gradients", returned="b.grad, W.grad"),
    _gradients(
        "wrong sign",
        "Your gradients have the wrong sign",
        loss="z.log_softmax(-1).gather(1, labels[:, None]).mean()",
    ),
    _gradients(
        "squared error",
        "Your loss is the squared error",
        loss="F.mse_loss(z, F.one_hot(labels, z.shape[1]).float())",
    ),
    _gradients("of the logits", "Your gradients are those of the sum of the logits", loss="z.sum()"),
    Mistake(
        "loss_gradients",
        "nothing is recorded",
        "def loss_gradients(W, b, x, labels):\n"
        "    F.cross_entropy(x @ W + b, labels).backward()\n"
        "    return W.grad, b.grad\n",
        GRADIENTS,
        "RuntimeError",
    ),
    _linear("not transposed", "", weight="W"),
    _linear("no bias", "Your bias is 0", bias="layer.bias.zero_()"),
    Mistake(
        "as_linear",
        "changed while it records",
        "def as_linear(W, b):\n"
        "    layer = nn.Linear(*W.shape)\n"
        "    layer.weight.copy_(W.T)\n"
        "    layer.bias.copy_(b)\n"
        "    return layer\n",
        LINEAR,
        "RuntimeError",
    ),
    _network(
        "lists of Python's",
        "PyTorch finds no parameter",
        weights="[nn.Parameter(W.clone()) for W in arrays[0::2]]",
        biases="[nn.Parameter(b.clone()) for b in arrays[1::2]]",
    ),
    _network(
        "biases in a list of Python's",
        "PyTorch finds the weights, but not the biases",
        biases="[nn.Parameter(b.clone()) for b in arrays[1::2]]",
    ),
    _network(
        "no activation",
        "Your hidden layers have no activation",
        hidden="x @ W + b",
    ),
    _network("relu at the end", "You put relu behind the last layer too", answer="F.relu(z)"),
    _network("softmax at the end", "You put softmax behind the last layer", answer="z.softmax(-1)"),
    _train("gradients add up", "Your gradients add up from step to step", zero="pass"),
    _train("no step", "Your weights do not change", step="pass"),
    _train("uphill", "Your loss grows", backward="(-loss).backward()"),
    _train("W alone", "Only W is trained", parameters="[W]"),
    _train("b alone", "Only b is trained", parameters="[b]"),
    _train(
        "softmax twice",
        "You took softmax before the cross-entropy",
        loss="F.cross_entropy(z.softmax(-1), labels)",
    ),
    _train(
        "sum over the batch",
        "You summed the losses of the batch",
        loss="F.cross_entropy(z, labels, reduction='sum')",
    ),
    _train("momentum", "Your optimizer has momentum", options=", momentum=0.9"),
    _train(
        "after the step",
        "Your losses are those after the steps",
        kept="F.cross_entropy(x @ W + b, labels).item()",
    ),
    _train("last loss", "You returned the last loss only", returned="losses[-1]"),
    Mistake(
        "losses_of",
        "the given weights are changed",
        "def losses_of(W, b, x, labels, rate, steps):\n"
        "    losses = []\n"
        "    for _ in range(steps):\n"
        "        W.requires_grad_(), b.requires_grad_()\n"
        "        loss = F.cross_entropy(x @ W + b, labels)\n"
        "        d_W, d_b = torch.autograd.grad(loss, (W, b))\n"
        "        with torch.no_grad():\n"
        "            W -= rate * d_W\n"
        "            b -= rate * d_b\n"
        "        losses.append(loss.item())\n"
        "    return losses\n",
        TRAIN,
        "changed",
    ),
]
