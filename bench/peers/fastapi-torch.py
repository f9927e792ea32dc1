# What a Python team would write: FastAPI and PyTorch on uvicorn (uvloop and httptools, where they are installed), one
# process, the same network from the same seed. Answers a body as long as Weightroom's.
# Port: WEIGHTROOM_PORT. Needs fastapi, uvicorn and torch.

import os

import torch
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

torch.set_num_threads(1)
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1)).eval()
epoch = "00000000-0000-0000-0000-000000000000"
app = FastAPI()


class Forward(BaseModel):
    inputs: list[list[float]]


@app.get("/readyz")
async def ready():
    return {"ok": True}


@app.post("/forward")
async def forward(body: Forward):
    with torch.inference_mode():
        outputs = net(torch.tensor(body.inputs))
    return {
        "name": "mlp",
        "epoch": epoch,
        "revision": 1,
        "outputs": {"dtype": "float32", "shape": list(outputs.shape), "data": outputs.flatten().tolist()},
    }


uvicorn.run(app, host="127.0.0.1", port=int(os.environ["WEIGHTROOM_PORT"]), log_level="warning", access_log=False)
