"""The APIs of other OCR services, each asked by its own client: docling-serve, Mistral, Azure, Open WebUI."""

import base64
import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from azure.ai.documentintelligence import DocumentIntelligenceClient
from azure.ai.documentintelligence.models import AnalyzeDocumentRequest, AnalyzeOutputOption
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from docling.datamodel.base_models import ConversionStatus, OutputFormat
from docling.datamodel.service.options import ConvertDocumentsOptions
from docling.datamodel.service.requests import HttpSourceRequest
from docling.datamodel.service.targets import InBodyTarget
from docling.service_client import DoclingServiceClient, StatusWatcherKind
from docling.service_client.exceptions import ServiceError, TaskNotFoundError
from docling_core.types.io import DocumentStream
from mistralai.client import Mistral
from mistralai.client.errors import MistralError, SDKError

from ocrqueue.documents.pdf.mupdf import pymupdf
from tests.support.harness import PROJECT, Stack, running
from tests.support.web import Web, new_key, start_web

SCAN = PROJECT / "tests" / "data" / "scan.pdf"
NOWHERE = "9d6b3bb6-0d7e-4f5a-9c6e-0d1b6c1f2a3b"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Pages are kept in the cache, so that the scan is read once and not by every test."""
    with running(OCR_CACHE_MAX_GB="1") as stack:
        stack.start_documents(children=1)
        stack.start_worker(engines="rapidocr")
        yield stack


@pytest.fixture(scope="module")
def web(stack: Stack) -> Web:
    return start_web(stack)


@pytest.fixture(scope="module")
def key(web: Web) -> str:
    return new_key(web.stack, "compat")


@pytest.fixture(scope="module")
def expected() -> list[str]:
    """The first words of the scan."""
    return re.findall(r"\w{4,}", (PROJECT / "tests" / "data" / "scan.txt").read_text())[:20]


def check_text(text: str, expected: list[str]) -> None:
    """Check that most of the scan's first words are there."""
    assert sum(word in text for word in expected) > 0.8 * len(expected), text[:500]


def two_pages() -> bytes:
    """A born-digital document with the words First and Second."""
    with pymupdf.open() as pdf:
        for word in ("First", "Second"):
            pdf.new_page().insert_text((72, 72), f"{word} page")
        content: bytes = pdf.tobytes()
        return content


# -- docling-serve ---------------------------------------------------------------------------------------------------
@pytest.fixture(params=list(StatusWatcherKind), ids=str)
def docling(web: Web, key: str, request: pytest.FixtureRequest) -> Iterator[DoclingServiceClient]:
    with DoclingServiceClient(web.url, api_key=key, status_watcher=request.param) as client:
        yield client


def test_docling_converts_a_file(docling: DoclingServiceClient, expected: list[str]) -> None:
    result = docling.convert(DocumentStream(name="scan.pdf", stream=BytesIO(SCAN.read_bytes())))
    assert result.status == ConversionStatus.SUCCESS
    check_text(result.document.export_to_markdown(), expected)
    assert list(result.document.pages) == [1, 2, 3, 4]


@pytest.mark.thorough
def test_docling_gets_the_formats_and_pages_that_it_asked_for(web: Web, key: str) -> None:
    with web.client() as http:
        files = {"files": ("two.pdf", two_pages())}
        form = {"to_formats": ["md", "text"], "page_range": ["2", "2"], "image_export_mode": "placeholder"}
        answer = http.post("/v1/convert/file", files=files, data=form, headers={"X-Api-Key": key}).json()
    document = answer["document"]
    assert (answer["status"], document["filename"]) == ("success", "two.pdf")
    assert document["md_content"].startswith("<!-- page 2 -->")
    assert document["text_content"].strip() == "Second page"
    assert (document["json_content"], document["html_content"]) == (None, None)


@pytest.mark.thorough
def test_docling_may_name_several_languages(web: Web, key: str) -> None:
    def converted(*names: str) -> dict[str, Any]:
        with web.client(key) as http:
            files = {"files": ("two.pdf", two_pages())}
            answer: dict[str, Any] = http.post("/v1/convert/file", files=files, data={"ocr_lang": names}).json()
            return answer

    for names in (("english", "deu"), ("auto",), ("",)):
        assert converted(*names)["status"] == "success"
    assert "no served engine reads el" in converted("en", "el")["detail"]


@pytest.mark.thorough
def test_docling_converts_a_document_in_the_body(web: Web, key: str) -> None:
    for encode in (base64.b64encode, base64.encodebytes, base64.urlsafe_b64encode):
        source = {"kind": "file", "base64_string": encode(two_pages()).decode(), "filename": "two.pdf"}
        with web.client(key) as http:
            answer = http.post("/v1/convert/source", json={"sources": [source], "target": {"kind": "inbody"}}).json()
        assert "First page" in answer["document"]["md_content"]


def test_docling_waits_for_a_task_and_fetches_it_twice(docling: DoclingServiceClient) -> None:
    stream = DocumentStream(name="two.pdf", stream=BytesIO(two_pages()))
    options = ConvertDocumentsOptions(to_formats=[OutputFormat.TEXT])
    job = docling.submit(stream, target=InBodyTarget(), options=options)
    first, second = job.result(), job.result()
    assert first.document.texts == second.document.texts
    assert first.document.texts[0].text == "First page"


def test_docling_is_told_that_a_document_is_damaged(docling: DoclingServiceClient) -> None:
    result = docling.convert(DocumentStream(name="no.pdf", stream=BytesIO(b"no document")), raises_on_error=False)
    assert result.status == ConversionStatus.FAILURE
    assert any("unsupported_format" in error.error_message for error in result.errors)


def test_doclings_client_asks_for_the_version(docling: DoclingServiceClient) -> None:
    assert "ocr-queue" in docling.version()


def test_docling_is_told_of_a_task_that_does_not_exist(web: Web, key: str, docling: DoclingServiceClient) -> None:
    with pytest.raises(TaskNotFoundError):
        docling._poll_task_status(NOWHERE, 0)


def test_docling_is_told_of_a_url_that_workers_may_not_read(docling: DoclingServiceClient) -> None:
    with pytest.raises(ServiceError, match="OCR_ALLOWED_SOURCES"):
        docling.convert(HttpSourceRequest(url="http://127.0.0.1:1/a.pdf"), raises_on_error=False)


def test_docling_needs_a_key(web: Web, key: str) -> None:
    with DoclingServiceClient(web.url, api_key=key[:-1]) as client, pytest.raises(ServiceError) as caught:
        client.submit(DocumentStream(name="two.pdf", stream=BytesIO(two_pages())), target=InBodyTarget())
    assert caught.value.status_code == 401
    assert "wrong or revoked" in str(caught.value.detail)


# -- Mistral ---------------------------------------------------------------------------------------------------------
@pytest.fixture
def mistral(web: Web, key: str) -> Iterator[Mistral]:
    with Mistral(api_key=key, server_url=web.url) as client:
        yield client


def test_mistral_reads_an_uploaded_file(mistral: Mistral, key: str, expected: list[str]) -> None:
    file = mistral.files.upload(file={"file_name": "scan.pdf", "content": SCAN.read_bytes()}, purpose="ocr")
    address = mistral.files.get_signed_url(file_id=file.id)
    answer = mistral.ocr.process(
        model="mistral-ocr-latest", document={"type": "document_url", "document_url": address.url}
    )
    check_text(answer.pages[0].markdown, expected)
    assert mistral.files.retrieve(file_id=file.id).size_bytes == SCAN.stat().st_size
    assert mistral.files.download(file_id=file.id).read() == SCAN.read_bytes()
    assert httpx2.get(address.url, headers={"Authorization": f"Bearer {key}"}).content == SCAN.read_bytes()
    assert (answer.usage_info.pages_processed, answer.usage_info.doc_size_bytes) == (4, SCAN.stat().st_size)
    assert mistral.files.delete(file_id=file.id).deleted
    with pytest.raises(SDKError, match="no job"):
        mistral.files.get_signed_url(file_id=file.id)


@pytest.mark.thorough
def test_mistral_reads_a_data_url_and_chosen_pages(mistral: Mistral) -> None:
    address = "data:application/pdf;base64," + base64.encodebytes(two_pages()).decode()  # in lines, as MIME has it
    document = {"type": "document_url", "document_url": address}
    answer = mistral.ocr.process(model="any", document=document, pages=[1], confidence_scores_granularity="page")
    assert [(page.index, page.markdown.strip()) for page in answer.pages] == [(1, "Second page")]
    assert [block.content for block in answer.pages[0].blocks] == ["Second page"]
    by_file = mistral.files.upload(file={"file_name": "two.pdf", "content": two_pages()}, purpose="ocr")
    answer = mistral.ocr.process(model="any", document={"type": "file", "file_id": by_file.id}, pages="0")
    assert [page.markdown.strip() for page in answer.pages] == ["First page"]
    with pytest.raises(MistralError, match="no page of the document, which has 2"):
        mistral.ocr.process(model="any", document={"type": "file", "file_id": by_file.id}, pages=[99])


def test_mistral_is_told_of_a_range_that_ends_before_it_begins(mistral: Mistral) -> None:
    file = mistral.files.upload(file={"file_name": "two.pdf", "content": two_pages()}, purpose="ocr")
    with pytest.raises(MistralError, match="ends before it begins"):
        mistral.ocr.process(model="any", document={"type": "file", "file_id": file.id}, pages="5-2")


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"type": "document_url", "document_url": "data:application/pdf;base64,###"}, "base64"),
        ({"type": "document_url", "document_url": "file:///etc/passwd"}, "must begin with"),
        ({"type": "document_url", "document_url": "data:text/plain;base64,aGVsbG8="}, "unsupported_format"),
        ({"type": "file", "file_id": NOWHERE}, "no job"),
    ],
)
def test_mistral_is_told_what_is_wrong(mistral: Mistral, document: dict[str, str], says: str) -> None:
    with pytest.raises(MistralError, match=says) as caught:
        mistral.ocr.process(model="any", document=document)
    assert 400 <= caught.value.status_code < 500


# -- Azure -----------------------------------------------------------------------------------------------------------
@pytest.fixture
def azure(web: Web, key: str) -> Iterator[DocumentIntelligenceClient]:
    with DocumentIntelligenceClient(web.url, AzureKeyCredential(key)) as client:
        yield client


def test_azure_reads_a_document_and_returns_it_searchable(
    azure: DocumentIntelligenceClient, expected: list[str]
) -> None:
    poller = azure.begin_analyze_document(
        "prebuilt-read",
        AnalyzeDocumentRequest(bytes_source=SCAN.read_bytes()),
        output=[AnalyzeOutputOption.PDF],
        polling_interval=1,
    )
    result = poller.result()
    check_text(result.content, expected)
    page = result.pages[0]
    assert (page.unit, page.page_number) == ("pixel", 1)
    assert all(result.content[w.span.offset : w.span.offset + w.span.length] == w.content for w in page.words)
    operation = poller.details["operation_id"]
    pdf = b"".join(azure.get_analyze_result_pdf(model_id="prebuilt-read", result_id=operation))
    with pymupdf.open(stream=pdf) as made:
        check_text(made[0].get_text(), expected)
    azure.delete_analyze_result(model_id="prebuilt-read", result_id=operation)
    with pytest.raises(ResourceNotFoundError):
        azure.get_analyze_result_pdf(model_id="prebuilt-read", result_id=operation)


@pytest.mark.thorough
def test_azure_reads_a_body_and_chosen_pages(azure: DocumentIntelligenceClient) -> None:
    poller = azure.begin_analyze_document(
        "prebuilt-layout", BytesIO(two_pages()), pages="2", output_content_format="markdown", polling_interval=1
    )
    result = poller.result()
    assert (result.content.strip(), result.content_format) == ("Second page", "markdown")
    assert [page.page_number for page in result.pages] == [2]


def test_azure_is_told_what_is_wrong(azure: DocumentIntelligenceClient) -> None:
    with pytest.raises(HttpResponseError) as caught:
        azure.begin_analyze_document("prebuilt-invoice", BytesIO(two_pages()))
    assert "prebuilt-invoice" in caught.value.error.message
    poller = azure.begin_analyze_document("prebuilt-read", BytesIO(b"no document"), polling_interval=1)
    with pytest.raises(HttpResponseError) as caught:
        poller.result()
    assert caught.value.error.code == "unsupported_format"


# -- Open WebUI ------------------------------------------------------------------------------------------------------
def test_open_webui_gets_the_text_of_each_page(web: Web, key: str) -> None:
    """As its external document loader asks: a body, a quoted file name, a bearer key."""
    headers = {
        "Content-Type": "application/pdf",
        "X-Filename": quote("zwei Seiten ä.pdf"),
        "Authorization": f"Bearer {key}",
    }
    answer = httpx2.put(f"{web.url}/process", content=two_pages(), headers=headers, timeout=60, trust_env=False)
    items = answer.json()
    assert [item["page_content"].strip() for item in items] == ["First page", "Second page"]
    assert [item["metadata"]["page"] for item in items] == [0, 1]
    assert items[0]["metadata"]["source"] == "zwei Seiten ä.pdf"


def test_open_webui_is_told_what_is_wrong(web: Web, key: str) -> None:
    with web.client(key) as http:
        answer = http.put("/process", content=b"no document")
    assert (answer.status_code, answer.json()["code"]) == (422, "unsupported_format")
